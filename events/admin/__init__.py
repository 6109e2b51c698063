"""Pages of the engine itself: the overview, the system's status, pausing, scoring runs, releases, and alerts."""

from events.admin import alerts, deliveries, drains, overview, pause, releases, system_status

__all__ = ["alerts", "deliveries", "drains", "overview", "pause", "releases", "system_status"]
