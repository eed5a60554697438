"""Cases that releases left waiting: `python -m tests.parked.make` writes this one's, tests resume all."""
