"""Schedules: runs that start by themselves, at the times of a cron expression."""
