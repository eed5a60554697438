"""Attacks on every workflow by a model that has been taken over entirely, and what came of them."""
