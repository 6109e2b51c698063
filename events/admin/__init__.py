"""Pages of the engine: the overview, the system's status, pausing, scoring runs, releases, alerts, and customers with
their alerts."""

from events.admin import alerts, customers, deliveries, digests, drains, overview, pause, releases, system_status

__all__ = ["alerts", "customers", "deliveries", "digests", "drains", "overview", "pause", "releases", "system_status"]
