"""What operators type: one file for each group of commands that cli.py offers."""
