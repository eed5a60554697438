"""Notifications: reviewers' chat, e-mail and systems are told of requests; links open, never decide."""
