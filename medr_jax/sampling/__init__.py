"""Sampling from the model: logits to tokens, and the slot engine."""
