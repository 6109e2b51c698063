"""`manage.py train_model FILE.csv`: fit, judge and package a forest."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    requires_system_checks = ()  # a missing or broken model must not keep anybody from training one
    help = "Train a forest on a CSV in the public bank-churn layout; write model.pkl, model.json and the flat arrays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("csv_path", metavar="FILE.csv", type=Path)
        parser.add_argument("--seed", type=int, help="the same seed gives the same forest (default 20)")
        parser.add_argument("--trees", type=int, help="number of trees (default 200)")
        parser.add_argument("--search", action="store_true", help="compare a few settings first; takes minutes")
        parser.add_argument(
            "--output", metavar="DIR", type=Path, default=settings.ML_ASSETS_DIR, help="default: ml_assets/"
        )

    def handle(self, *, csv_path: Path, output: Path, search: bool, **options: Any) -> None:
        # Imported here: it brings all of scikit-learn, which `manage.py help` and its like should not wait for.
        from customers.ml_service.training import TrainingDataError, save, train

        chosen = {name: options[name] for name in ("seed", "trees") if options[name] is not None}
        self.stdout.write("Training, and judging by cross-validation ...")
        try:
            trained = train(csv_path, search=search, **chosen)
        except TrainingDataError as error:
            raise CommandError(str(error)) from None
        metadata = save(trained, output)
        for name, figures in trained.metadata["metrics"].items():
            if isinstance(figures, dict):
                self.stdout.write(f"  {name:22} {figures['mean']:.4f} ± {figures['std']:.4f}")
        self.stdout.write(f"{metadata['n_trees']} trees written to {output}, sha256 {metadata['sha256'][:12]}…")
