"""Pages of the engine: the overview, pausing and resuming, what the drains did, alerts, and customers with these."""

from events.admin import alerts, customers, deliveries, drains, overview, pause

__all__ = ["alerts", "customers", "deliveries", "drains", "overview", "pause"]
