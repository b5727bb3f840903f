"""The medical knowledge graph: sources, normalisation, storage, and what is mined from it."""
