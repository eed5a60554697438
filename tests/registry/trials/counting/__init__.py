"""Effects one after another."""
