"""Assistants: configured versions of a workflow that runs are started with."""
