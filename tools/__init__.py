"""Typed, narrow operations on outside systems: one module a system, plus the field types they share."""
