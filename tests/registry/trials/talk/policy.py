"""A conversation, and nothing outside."""

from trials.terms import terms

POLICY = terms("Repeat what was said.")
