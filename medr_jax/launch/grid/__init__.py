"""The grid of ablations: arms that share their stages, one record each."""
