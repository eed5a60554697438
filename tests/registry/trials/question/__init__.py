"""One question to the requester."""
