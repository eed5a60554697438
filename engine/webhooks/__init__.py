"""Webhooks: what is told outside, kept with what it tells of, sent by workers, signed."""
