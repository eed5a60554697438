"""Servers that stand for outside services in tests."""
