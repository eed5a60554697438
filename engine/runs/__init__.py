"""Threads and runs: what was asked, where it stands, who holds it."""
