"""Progress, and nothing outside."""

from trials.terms import terms

POLICY = terms("Tell how far it is.")
