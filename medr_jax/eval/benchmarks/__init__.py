"""Public benchmarks in their authors' formats, and our own; one file each."""
