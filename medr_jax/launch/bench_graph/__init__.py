"""Our graph beside networkx: load time, memory, chains a second."""
