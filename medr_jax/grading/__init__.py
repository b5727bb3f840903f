"""Decides whether an answer is right and whether its evidence says so."""
