"""Client of OpenAI-compatible endpoints: teachers, judges and agents under test."""
