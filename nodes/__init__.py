"""Kinds of stage that any workflow may use. No domain word in here."""
