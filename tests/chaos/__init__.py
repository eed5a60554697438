"""Thousands of runs while everything they need is killed, stopped and cut off: `scripts/chaos`."""
