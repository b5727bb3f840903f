"""Documents, the search index over them, and the engine that ranks them."""
