"""Readers of public formats, one file each: a path to typed documents."""
