"""`manage.py model_card [PATH] [--output DIR]`: write the model card of a model file beside it."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from customers.ml_service import ModelError
from customers.ml_service.card import CARD_FILE, card_files, remove_other_pictures
from customers.ml_service.files import model_folder
from customers.ml_service.files.assets import MODEL_FILE, metadata_beside
from customers.ml_service.files.packaging import write_all


class Command(BaseCommand):
    requires_system_checks = ()  # they look at the model in service, which need not be this one
    help = "Write the model card (README.md and card/*.svg) from the model.json beside a model file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "path", metavar="PATH", type=Path, nargs="?", help="the model file (default: the active model)"
        )
        parser.add_argument("--output", metavar="DIR", type=Path, help="folder of the card (default: beside the model)")

    def handle(self, *, path: Path | None, output: Path | None, **options: Any) -> None:
        path = path or settings.ML_ASSETS_DIR / MODEL_FILE
        output = output or path.parent
        try:
            files = card_files(metadata_beside(path))
            write_all(output, files)
            remove_other_pictures(output, files)
        except OSError as error:
            raise CommandError(model_folder.describe_write_error(error, output)) from None
        except ModelError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Written: {output / CARD_FILE}")
