"""Measures agents on held-out questions: metrics, intervals, baselines, tables."""
