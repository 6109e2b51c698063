"""Go on with scoring."""

from typing import Any

from django.core.management.base import BaseCommand

from events.queue import pause


class Command(BaseCommand):
    help = "End a pause of scoring: whoever went stale meanwhile is scored."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("Scoring goes on." if pause.resume() else "Scoring was not paused.")
