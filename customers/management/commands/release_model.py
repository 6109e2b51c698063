"""Accept a model file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.ml_service import ModelError
from customers.ml_service.packaging import release
from customers.models import ModelRelease
from customers.releases import put_into_service, remembered


class Command(BaseCommand):
    help = "Verify a model file, put it into ml_assets/ with its checksum, and make it the active model."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a RandomForestClassifier dumped with joblib")
        parser.add_argument("--note", default="", help="why; kept with the release")

    def handle(self, *args: Any, path: Path, note: str, **options: Any) -> None:
        try:
            former = ModelRelease.objects.active()
            release(path, assets_dir=settings.ML_ASSETS_DIR, note=note, remembered=remembered(path))
            active = put_into_service(note or f"released from {path.name}")
        except (ModelError, OSError) as error:
            raise CommandError(str(error)) from error
        what_follows = "It was active already; no score changes." if active == former else "All customers are rescored."
        self.stdout.write(f"Active model: {active}. {what_follows}")
