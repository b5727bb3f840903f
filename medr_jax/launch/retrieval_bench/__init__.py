"""Quality and speed of retrieval beside other libraries, on the same documents and queries."""
