"""Tools that an agent can call, and the runtime that calls them."""
