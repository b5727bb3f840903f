"""Text to token ids and back: the only room where ids, roles and loss masks are made."""
