"""The broker by the name that settings give it: ``VIGILPAY_BROKER=events.broker.ListenBroker``."""

from events.queue.broker import ListenBroker

__all__ = ["ListenBroker"]
