"""Carries runs forward: claim, run, park or finish; leases, timers, drain."""
