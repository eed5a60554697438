"""Replays the gold actions of τ-bench's retail tasks, from a folder of its data, through our own workflow."""
