"""Billing dispute: a customer says that a charge is wrong."""
