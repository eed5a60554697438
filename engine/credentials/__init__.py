"""Secrets: named by references, read where they are used, and kept out of everything that is stored or leaves."""
