"""A conversation with a model that needs no network."""
