"""The faults, by name, in files by theme: importing these is what registers them."""

from tests.chaos.faults import (  # noqa: F401
    bank_triggers,
    defaults,
    frozen,
    held,
    isolation,
    model,
    notifications,
    postgres,
    processes,
    reloads,
    replicas,
    restores,
    rights,
    subscribers,
    together,
    two_hosts,
)
from tests.chaos.faults.registry import FAULTS, BrokenPromiseError, Fault

__all__ = ["FAULTS", "BrokenPromiseError", "Fault"]
