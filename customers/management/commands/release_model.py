"""Accept a model file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.ml_service import ModelError
from customers.ml_service.releases import release
from customers.releases import put_into_service


class Command(BaseCommand):
    help = "Verify a model file, put it into ml_assets/ with its checksum, and make it the active model."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a RandomForestClassifier dumped with joblib")
        parser.add_argument("--note", default="", help="why; kept with the release")

    def handle(self, *args: Any, path: Path, note: str, **options: Any) -> None:
        try:
            release(path, assets_dir=settings.ML_ASSETS_DIR, note=note)
            active = put_into_service(note or f"released from {path.name}")
        except (ModelError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Active model: {active}. Workers rescore all customers from now on.")
