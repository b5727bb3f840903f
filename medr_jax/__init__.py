"""medr_jax: medical deep-research agents in JAX, from a knowledge graph to a trained agent."""

__version__ = "0.1.0"
