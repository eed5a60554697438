"""Nothing is done here."""

from trials.terms import terms

POLICY = terms("Kill the worker that carries it.")
