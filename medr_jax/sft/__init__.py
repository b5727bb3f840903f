"""Supervised fine-tuning on packed trajectories."""
