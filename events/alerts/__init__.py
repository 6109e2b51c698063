"""Alerts: scores that staff must learn of at once, and how the messages on them are sent."""
