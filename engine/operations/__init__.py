"""What people who operate an installation look at: gauges, readiness, what is stuck, why, and what to do about it."""
