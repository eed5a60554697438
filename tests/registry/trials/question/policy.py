"""A question, and nothing outside."""

from trials.terms import terms

POLICY = terms("Ask one question and repeat its answer.")
