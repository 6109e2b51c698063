"""The engine's own state, and its alerts."""

from customers.models import Pause
from events.models.alerts import Alert, AlertRule, Delivery, Messenger
from events.models.digest import Digest
from events.models.engine import Drain, Overview, SystemStatus, Watch, Worker

__all__ = [
    "Alert",
    "AlertRule",
    "Delivery",
    "Digest",
    "Drain",
    "Messenger",
    "Overview",
    "Pause",
    "SystemStatus",
    "Watch",
    "Worker",
]
