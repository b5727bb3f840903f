"""Batches for a training step: Grain over packed rows, resumable and sharded by process."""
