"""Readers of public sources; each gives ``SourceRecords`` in the source's own identifiers."""
