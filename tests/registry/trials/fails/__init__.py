"""A workflow that breaks."""
