"""Review queues: how much may be on its way to their reviewers, and what becomes of new work when that is reached."""
