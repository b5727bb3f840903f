"""Self-contained HTML pages: no script, nothing fetched, every text escaped."""
