"""`manage.py train_model FILE.csv`: fit, judge and package a forest."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from customers.csv_import.file import RefusedError
from customers.csv_import.labelled import LabelledFile, read_labelled
from customers.management import training_report as report
from customers.management.csv_command import add_decimal, input_file
from customers.management.progress import TerminalProgress, positive
from customers.ml_service.errors import ModelError
from customers.ml_service.training import DEFAULT_SEED, SETTINGS, Trained, TrainingData, TrainingDataError, save, train
from customers.ml_service.training.leaks import features_alone, others_alone


class Command(BaseCommand):
    requires_system_checks = ()  # a missing or broken model must not keep anybody from training one
    help = (
        "Train a forest on a CSV file in the public bank-churn layout or a variant of it (docs/model.md); "
        "write model.pkl, model.json and the flat arrays."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("csv_path", metavar="FILE.csv", type=input_file)
        add_decimal(parser)
        parser.add_argument(
            "--seed", type=int, default=DEFAULT_SEED, help="the same seed gives the same forest (%(default)s)"
        )
        trees = f"number of trees ({SETTINGS['n_estimators']}, or what --search finds)"
        parser.add_argument("--trees", type=positive, help=trees)
        parser.add_argument("--search", action="store_true", help="find the best settings first; takes minutes")
        parser.add_argument("--strict", action="store_true", help="refuse the file when one of its rows is rejected")
        parser.add_argument(
            "--output",
            metavar="DIR",
            type=Path,
            default=settings.ML_ASSETS_DIR,
            help="where the model goes (ml_assets/)",
        )

    def handle(self, *, csv_path: Path, output: Path, strict: bool, decimal: str | None, **options: Any) -> None:
        how = {name: options[name] for name in ("seed", "trees", "search")}
        try:
            file = read_labelled(csv_path, decimal)
            self.tell_file(file)
            if strict and file.rejects.rows:
                raise CommandError(f"Rejected rows: {file.rejects.rows}. Mend them, or train without --strict.")
            trained = self.train(file.data, **how)
        except (RefusedError, TrainingDataError) as error:
            raise CommandError(f"{error} Nothing was trained.") from None
        self.tell(report.about_training(trained.metadata))
        try:
            metadata = save(trained, output)
        except (ModelError, OSError) as error:
            raise CommandError(f"Nothing was written to {output}: {error}.") from None
        self.stdout.write(
            f"{output} holds the model now: {metadata['n_nodes']:,} nodes, sha256 {metadata['sha256'][:12]}…"
        )

    def tell_file(self, file: LabelledFile) -> None:
        features, others = features_alone(file.data), others_alone(file.data)
        self.tell([*report.about_rows(file), *report.about_others(others)])
        for line in report.warnings(features, others):
            self.stderr.write(line, self.style.WARNING)

    def train(self, data: TrainingData, **how: Any) -> Trained:
        with TerminalProgress(sys.stderr) as progress:
            return train(data, progress=progress.bar, **how)

    def tell(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)
