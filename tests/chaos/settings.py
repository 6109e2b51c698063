"""The settings of a storm, by name: intervals short enough for a test, sizes of the short and of the long one."""

from dataclasses import dataclass

# The workers' own, as the environment of the service.
WORKER_SETTINGS = {
    "VIGILPAY_WORKERS": "2",
    "VIGILPAY_LOOK_SECONDS": "0.5",
    "VIGILPAY_STALL_SECONDS": "4",
    "VIGILPAY_DRAIN_SECONDS": "3",
    "VIGILPAY_QUEUE_TIMEOUT_SECONDS": "20",
    "VIGILPAY_QUEUE_RETRY_SECONDS": "30",
    "VIGILPAY_LOG_LEVEL": "INFO",
    "PGAPPNAME": "storm-worker",
}
# Analyze of the editors, in the storm's own process.
EDITOR_SETTINGS = {"VIGILPAY_ANALYZE_LOCK_SECONDS": "0.5"}


@dataclass(frozen=True)
class Size:
    customers: int
    editors: int
    seconds: float  # of editing, for each fault
    faults: int | None  # how many; None: all
    recovery_limit_seconds: float


SHORT = Size(customers=600, editors=5, seconds=2.5, faults=5, recovery_limit_seconds=60.0)
LONG = Size(customers=1000, editors=6, seconds=8.0, faults=None, recovery_limit_seconds=30.0)
