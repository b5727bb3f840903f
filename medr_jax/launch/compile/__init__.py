"""Whether production steps fit a TPU slice, asked of its compiler."""
