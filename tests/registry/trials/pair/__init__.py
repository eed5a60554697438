"""Two gates at a time."""
