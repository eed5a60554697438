"""Webhooks: told when a run has ended; kept with its end, sent by workers, signed."""
