"""Compositions of rooms that entry points call."""
