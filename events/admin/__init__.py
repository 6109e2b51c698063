"""Pages of the engine itself: pausing and resuming, what the drains did, and alerts."""

from events.admin import alerts, deliveries, drains, pause

__all__ = ["alerts", "deliveries", "drains", "pause"]
