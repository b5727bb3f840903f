"""Datasets on disk: trajectories, their card, packed rows. Nothing here needs JAX."""
