"""Deterministic fakes of the outside systems. They know the systems' HTTP interfaces and nothing of our contracts."""
