"""Pages of the engine itself: the overview, pausing and resuming, what the drains did, and alerts."""

from events.admin import alerts, deliveries, digests, drains, overview, pause

__all__ = ["alerts", "deliveries", "digests", "drains", "overview", "pause"]
