"""Time, and nothing outside."""

from trials.terms import terms

POLICY = terms("Wait.")
