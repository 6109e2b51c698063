"""The engine's own state, and its alerts."""

from events.models.alerts import Alert, AlertRule, Delivery, Messenger
from events.models.engine import Drain, Overview, Pause, Watch, Worker

__all__ = ["Alert", "AlertRule", "Delivery", "Drain", "Messenger", "Overview", "Pause", "Watch", "Worker"]
