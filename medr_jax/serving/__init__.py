"""The tools for any agent, over HTTP or the Model Context Protocol."""
