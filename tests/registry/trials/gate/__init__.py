"""The smallest workflow with a gate."""
