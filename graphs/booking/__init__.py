"""Booking: an assistant that helps one customer of an airline with their reservations."""
