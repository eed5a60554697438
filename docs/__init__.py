"""Documentation, and the code that writes the parts of it that can be read from the product."""
