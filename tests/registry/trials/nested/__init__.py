"""A workflow in a workflow."""
