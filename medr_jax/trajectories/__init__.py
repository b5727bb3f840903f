"""Demonstrations: who acts on a question, what is kept, and how a set of them is made."""
