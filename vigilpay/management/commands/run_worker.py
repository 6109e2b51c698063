"""The worker as it should run: a cluster, and a supervisor that watches it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events.worker.pooler import PoolerError
from events.worker.service_manager import ServiceManager
from events.worker.stop_signals import StopSignals
from events.worker.supervisor import Supervisor
from vigilpay.processes.children import Cluster
from vigilpay.processes.warming import warm

# A stop lets the drain at work come to its own end; this is for the rest of the way out.
WAY_OUT_SECONDS = 5.0


class Command(BaseCommand):
    help = "Run the scoring worker and restart it if it ends or stalls. Stops on SIGTERM or Ctrl-C."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.Q_CLUSTER["broker_class"] != "events.broker.ListenBroker":
            raise CommandError("Another broker sends no heartbeat: remove VIGILPAY_BROKER, or run `qcluster` instead.")
        with StopSignals() as signals:
            warm(signals)
            try:
                Supervisor(
                    Cluster,
                    signals,
                    ServiceManager(settings.NOTIFY_SOCKET),
                    stall_seconds=settings.STALL_SECONDS,
                    stop_seconds=settings.DRAIN_SECONDS + WAY_OUT_SECONDS,
                ).run()
            except PoolerError as error:
                raise CommandError(str(error)) from error
