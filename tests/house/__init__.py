"""What a machine can check of the house's rules."""
