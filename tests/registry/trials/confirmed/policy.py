"""Sums, and nothing outside."""

from trials.terms import terms

POLICY = terms("Calculate in a graph within the graph, and have the result confirmed there.")
