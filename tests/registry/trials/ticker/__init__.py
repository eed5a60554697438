"""A stage that tells how far it is."""
