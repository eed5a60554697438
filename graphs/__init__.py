"""The workflows. Each is a folder; none imports another."""
