"""Ticks, and nothing outside."""

from trials.terms import terms

POLICY = terms("Tell ticks at a given pace.")
