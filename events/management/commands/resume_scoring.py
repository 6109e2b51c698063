"""Go on with scoring."""

from typing import Any

from django.core.management.base import BaseCommand

from events.queue import pause


class Command(BaseCommand):
    help = "Resume scoring: customers with a score pending are scored."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Scoring resumed." if pause.resume() else "Scoring was not paused.")
