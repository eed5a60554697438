"""A workflow in a workflow that waits."""
