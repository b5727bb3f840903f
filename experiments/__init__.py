"""Entry points: ``python -m experiments.<stage>``, configured by Hydra."""
