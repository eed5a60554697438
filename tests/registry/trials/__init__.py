"""Small workflows, one trait of the engine each. Loaded as `trials`, with the folder above on the path."""
