"""Alerts: what the scores have to tell somebody at once, and how it gets to him."""
