"""Measures: how cases ended, what they cost and took, and how often each stage decided. Counted when somebody asks."""
