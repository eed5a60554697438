"""Three stages of code."""
