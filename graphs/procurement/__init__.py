"""Procurement: a request in free words becomes one purchase order, or an answer why not."""
