"""Delete the stored models that are asked for no more."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from customers.presentation.numbers import format_count
from customers.releases import pruning
from customers.releases.pruning import StoredModel

MB = 1_000_000


class Command(BaseCommand):
    help = (
        "Delete stored models from the database, except the active one, the one before it, those that are proposed, "
        "and those that scores name. The list of releases stays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="only say what would be deleted, and why others stay"
        )

    def handle(self, *, dry_run: bool, **options: Any) -> None:
        if dry_run:
            for model in pruning.stored_models():
                self.stdout.write(f"{described(model)}: {model.stays_because or 'would be deleted'}")
            return
        going = pruning.prune()
        for model in going:
            self.stdout.write(f"{described(model)}: deleted")
        freed = sum(model.size for model in going) / MB
        self.stdout.write(f"{format_count(len(going), 'model', 'models')} deleted, {freed:,.1f} MB.")


def described(model: StoredModel) -> str:
    return f"model {model.sha256[:12]}, {model.size / MB:,.1f} MB"
