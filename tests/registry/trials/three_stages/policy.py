"""Three stages that touch nothing outside."""

from trials.terms import terms

POLICY = terms("Count words and letters of a text.")
