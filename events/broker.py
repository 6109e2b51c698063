"""The broker by the path that ``VIGILPAY_BROKER`` has named so far."""

from events.queue.broker import ListenBroker

__all__ = ["ListenBroker"]
