"""`manage.py train_model`: fit, judge and package a forest, by a file or the history, as a candidate for a release."""

import shlex
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from customers.history.as_of import NotKeptError
from customers.import_export.conventions import Conventions, conventions_of_bank
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.mapping import keep_mapping
from customers.import_export.training_file import LABELLED, read_labelled
from customers.management import training_report as report
from customers.management.csv_command import add_decimal, add_mapping, chosen_mapping, input_file
from customers.management.days import day, describe_not_kept
from customers.management.progress import TerminalProgress, positive
from customers.ml_service.errors import InputError, ModelError
from customers.ml_service.files import model_folder
from customers.ml_service.files.assets import MODEL_FILE
from customers.ml_service.training import (
    DEFAULT_SEED,
    SETTINGS,
    Trained,
    TrainingData,
    TrainingDataError,
    save,
    train,
)
from customers.ml_service.training.leaks import features_alone, others_alone
from customers.models import Customer
from customers.monitoring.evaluation import DEFAULT_DAYS, NothingToEvaluateError
from customers.monitoring.learning import read_past
from customers.presentation.durations import format_day

UNKNOWN_OBJECTIONS = (
    "Warning: the database does not answer. Customers who objected to profiling are left out only if the file says so, "
    "and category aliases do not count."
)


@dataclass(frozen=True, eq=False)
class Source:
    """What is trained on, for the note of a release and, as ``facts``, for the model's metadata."""

    data: TrainingData
    note: str
    facts: dict[str, Any] = field(default_factory=dict)
    mapping: Mapping[str, str] = field(default_factory=dict)


class Command(BaseCommand):
    requires_system_checks = ()  # a missing or broken model must not keep a user from training one
    help = (
        "Train a forest on a CSV file in the public bank-churn layout or a variant of it (docs/model.md), or on the "
        "history of the database and imported outcomes (docs/history.md), and write it to a separate folder. In "
        "development it is also released; in production an operator runs release_model."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("csv_path", metavar="FILE.csv", type=input_file, nargs="?")
        parser.add_argument(
            "--from-history", action="store_true", help="train on customers as they stood on a day, and who left since"
        )
        parser.add_argument(
            "--as-of",
            type=day,
            metavar="DATE",
            help="with --from-history: values as they were when this day began (the latest day possible)",
        )
        parser.add_argument(
            "--horizon",
            type=positive,
            metavar="DAYS",
            help=f"with --from-history: who left within so many days from then on ({DEFAULT_DAYS})",
        )
        add_decimal(parser)
        add_mapping(parser)
        parser.add_argument(
            "--seed", type=int, default=DEFAULT_SEED, help="the same seed gives the same forest (%(default)s)"
        )
        parser.add_argument(
            "--trees", type=positive, help=f"number of trees ({SETTINGS['n_estimators']}, or what --search finds)"
        )
        parser.add_argument("--search", action="store_true", help="search for the best settings first; takes minutes")
        parser.add_argument("--strict", action="store_true", help="refuse the file if a row is rejected")
        parser.add_argument("--candidate", action="store_true", help="only write the model, as always in production")
        parser.add_argument(
            "--output",
            metavar="DIR",
            type=Path,
            help="write the model to this folder and release nothing (ml_assets/candidates/CHECKSUM/)",
        )

    def handle(self, *, output: Path | None, candidate: bool, **options: Any) -> None:
        refuse_mixed(options)
        how = {name: options[name] for name in ("seed", "trees", "search")}
        try:
            refuse_live_files(output)
            model_folder.refuse_unwritable(output or settings.ML_ASSETS_DIR / model_folder.CANDIDATES)
            source = self.source(options)
            features, others = features_alone(source.data), others_alone(source.data)
            for line in report.about_others(others):
                self.stdout.write(line)
            for line in report.warnings(features, others):
                self.stderr.write(line, self.style.WARNING)
            with TerminalProgress(sys.stderr) as progress:
                trained = train(source.data, thresholds=settings.RISK_BANDS, progress=progress.bar, **how)
        except (RefusedError, TrainingDataError, NothingToEvaluateError) as error:
            raise CommandError(f"{error} Nothing was trained.") from None
        except (InputError, ModelError) as error:
            raise CommandError(f"{error}. Nothing was trained.") from None
        if name := options["save_mapping"]:
            keep_mapping(name, source.mapping)
            self.stdout.write(f"Kept the mapping {name}")
        trained = with_facts(trained, source.facts)
        self.stdout.write("\n".join(report.about_training(trained.metadata)))
        for line in report.about_rare_words(trained.data, trained.encodings):
            self.stdout.write(line)
        path = self.save(trained, output)
        release = f"manage.py release_model {shlex.quote(str(path))}"
        if output or candidate or not settings.ACCEPT_UNRELEASED_MODEL:
            what = "Make it the active model" if settings.ONE_PERSON_RELEASES else "Propose it"
            by = "" if settings.ONE_PERSON_RELEASES else " --by USERNAME"
            self.stdout.write(f'Try it with: {release} --dry-run\n{what} with: {release}{by} --note "reason"')
        else:
            self.put_into_service(path, trained.sha256, source.note, release)

    def source(self, options: dict[str, Any]) -> Source:
        """What to train on, with a report of it."""
        if options["from_history"]:
            return self.from_history(options["horizon"] or DEFAULT_DAYS, options["as_of"])
        conventions = self.conventions(chosen_mapping(options))
        return self.from_file(options["csv_path"], options["decimal"], conventions, strict=options["strict"])

    def from_file(self, path: Path, decimal: str | None, conventions: Conventions, *, strict: bool) -> Source:
        file = read_labelled(path, decimal, self.objected(), conventions.of(LABELLED))
        self.stdout.write("\n".join(report.about_rows(file)))
        if strict and file.rejects.rows:
            raise CommandError(f"Rejected rows: {file.rejects.rows}. Correct them, or train without --strict.")
        return Source(file.data, f"trained on {path.name}", mapping=conventions.mapping)

    def from_history(self, days: int, as_of: date | None) -> Source:
        try:
            past = read_past(days, as_of)
        except NotKeptError as error:
            raise CommandError(f"{describe_not_kept(error)} Nothing was trained.") from None
        self.stdout.write("\n".join(report.about_past(past)))
        first_day = past.window.first_day
        facts = {"as_of": first_day.isoformat(), "horizon_days": days, "unknown": past.unknown}
        return Source(
            past.data, f"trained on the history as of {format_day(first_day)}, {days} days", {"from_history": facts}
        )

    def conventions(self, mapping: dict[str, str]) -> Conventions:
        """The bank's aliases are in its database, without which a model can be trained, too."""
        try:
            return conventions_of_bank(mapping)
        except Error:
            return Conventions(mapping)  # ``objected`` says that the database does not answer

    def objected(self) -> set[int | str]:
        """Customers of the database who have objected to profiling: a file may have been written before they did."""
        try:
            ids = Customer.objects.filter(objected_at__isnull=False).values_list("pk", "external_id")
            return set(filter(None, chain.from_iterable(ids)))
        except Error:  # a model can be trained without a database
            self.stderr.write(UNKNOWN_OBJECTIONS, self.style.WARNING)
            return set()

    def save(self, trained: Trained, output: Path | None) -> Path:
        """Write the model to its folder; its model.pkl."""
        folder = output or settings.ML_ASSETS_DIR / model_folder.CANDIDATES / trained.sha256[:12]
        try:
            metadata = save(trained, folder)
        except OSError as error:
            raise CommandError(model_folder.describe_write_error(error, folder)) from None
        except ModelError as error:
            raise CommandError(f"Nothing was written to {folder}: {error}.") from None
        self.stdout.write(f"{folder} holds the model: {metadata['n_nodes']:,} nodes, sha256 {metadata['sha256'][:12]}…")
        return folder / MODEL_FILE

    def put_into_service(self, path: Path, sha256: str, note: str, command: str) -> None:
        """As by hand: verified, tried out, put into service, and the model before it kept. The file is our own."""
        own = {"sha256": sha256, "yes": True}
        try:
            call_command("release_model", str(path), note=note, **own, stdout=self.stdout, stderr=self.stderr)
        except Error as error:  # a training that took minutes is not lost for a database that is away or empty
            problem = str(error).strip().splitlines()[0]
            raise CommandError(
                f"The model was not released: {problem}. Run `manage.py migrate`, then: {command}"
            ) from None


def refuse_mixed(options: dict[str, Any]) -> None:
    """One source, and the options of that one."""
    of_history, of_file = ("as_of", "horizon"), ("decimal", "strict", "map", "mapping", "save_mapping")
    if (options["csv_path"] is None) != options["from_history"]:
        raise CommandError("Name a file to train on, or give --from-history: one of the two.")
    if options["from_history"] and any(options[name] for name in of_file):
        raise CommandError("--decimal, --strict and mappings are about a file. Leave them out with --from-history.")
    if not options["from_history"] and any(options[name] for name in of_history):
        raise CommandError("--as-of and --horizon are about the history. Give --from-history, and no file.")


def with_facts(trained: Trained, facts: dict[str, Any]) -> Trained:
    """The metadata says what the model learned from, where that is no file."""
    return replace(trained, metadata={**trained.metadata, "training": {**trained.metadata["training"], **facts}})


def refuse_live_files(output: Path | None) -> None:
    """The files in service are release_model's alone: it verifies, keeps what was there, and asks for a reason."""
    if output is not None and output.resolve() == settings.ML_ASSETS_DIR.resolve():
        raise CommandError(
            f"{output} holds the active model, which only release_model replaces. Name another folder, or none."
        )
