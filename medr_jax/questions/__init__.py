"""Verified multi-hop questions from a knowledge graph."""
