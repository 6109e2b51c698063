"""Pages of the engine itself: pausing and resuming, and what the drains did."""

from events.admin import drains, pause

__all__ = ["drains", "pause"]
