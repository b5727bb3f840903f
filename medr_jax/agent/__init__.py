"""The research loop, free of I/O, and the drivers that run it against models and tools."""
