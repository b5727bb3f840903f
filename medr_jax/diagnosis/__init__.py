"""Bayesian differential diagnosis from the annotation corpus: how findings weigh for a disease."""
