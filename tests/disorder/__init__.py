"""Any order of what callers, reviewers, workers and clocks can do, on one database; and what must hold after each."""
