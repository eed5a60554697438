"""What may be used, how often, what fails too often, and what is switched off: shared by all processes."""
