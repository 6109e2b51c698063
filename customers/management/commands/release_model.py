"""Accept a model file, go back to a former one, or tell how far the customers are on their way to the active one."""

import argparse
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import positive
from customers.ml_service import ModelError
from customers.ml_service.files import former, model_folder
from customers.ml_service.files.packaging import Package, verify
from customers.models import ModelRelease
from customers.releases.active import in_place, put_into_service, remembered
from customers.releases.dry_run import SAMPLE_CUSTOMERS, Shift, rehearse, table
from customers.releases.progress import Rollover, rollover
from customers.releases.rollback import on_the_way, target_of, verified

LOOK_SECONDS = 2.0
# Nothing scored for so long: probably nobody is at work.
IDLE_SECONDS = 30.0
RELEASES_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Verify a model file, show how scores would move, put it into ml_assets/ with its checksum, and make it the "
        "active model; or go back to a former one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, nargs="?", help="a RandomForestClassifier dumped with joblib")
        parser.add_argument("--note", default="", help="why; kept with the release")
        parser.add_argument("--sha256", default="", metavar="HEX", help="refuse another file before it is opened")
        parser.add_argument(
            "--trust-columns", default="", metavar="REASON", help="why the columns are right, if thresholds look wrong"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rollback", action="store_true", help="put the model before the active one into service")
        what.add_argument("--status", action="store_true", help="show releases, and which scored how many customers")
        parser.add_argument("--to", type=positive, metavar="RELEASE_ID", help="with --rollback: this one")
        trial = parser.add_argument_group("dry run, on customers drawn at random")
        trial.add_argument("--dry-run", action="store_true", help="stop before anything is changed")
        trial.add_argument("--sample", type=positive, default=SAMPLE_CUSTOMERS, metavar="N", help="(%(default)s)")
        trial.add_argument("--max-mean-shift", type=share, metavar="X", help="refuse if the mean score moves by more")
        parser.add_argument("--wait", action="store_true", help="stay until all customers are rescored; alone: watch")

    def handle(self, *, path: Path | None, rollback: bool, status: bool, wait: bool, **options: Any) -> None:
        refuse_contradictions(path, rollback=rollback, status=status, wait=wait, to=options["to"])
        if options["trust_columns"] and not path:
            raise CommandError("--trust-columns goes with the PATH of a model file.")
        try:
            if rollback:
                self.go_back(**options)
            elif path:
                self.release(path, **options)
        except OSError as error:
            raise CommandError(model_folder.describe_write_error(error, settings.ML_ASSETS_DIR)) from error
        except ModelError as error:
            raise CommandError(str(error)) from error
        if status:
            self.show_status()
        if wait and not options["dry_run"]:
            self.watch()

    def release(self, path: Path, *, note: str, sha256: str, trust_columns: str, **options: Any) -> None:
        refuse_unwritable(**options)
        package = verify(
            path, note=note, remembered=remembered(path), expected_sha256=sha256, trusted=trust_columns.strip()
        )
        if self.try_out(package, **options):
            self.activate(package, note or f"released from {path.name}")
            former.forget_intent(settings.ML_ASSETS_DIR)

    def go_back(self, *, to: int | None, note: str, **options: Any) -> None:
        refuse_unwritable(**options)
        target = target_of(to)
        self.stdout.write(f"Going back to {target} of {target.released_at:%Y-%m-%d %H:%M}: {target.note}")
        note = note or f"back to release {target.pk}"
        package = verified(target, note=note)
        if self.try_out(package, **options):
            with on_the_way(target):
                self.activate(package, note)
            self.stdout.write(f"On every other host: manage.py release_model --rollback --to {target.pk}")

    def try_out(
        self, package: Package, *, sample: int, max_mean_shift: float | None, dry_run: bool, **_others: Any
    ) -> bool:
        """Say what was verified and how scores would move; whether to go on."""
        self.say("Verified:", *(f"  {finding}" for finding in package.findings()))
        shift = rehearse(package.forest, sample)
        self.say(*(table(shift) if shift else ["No stored customer has a score to compare with."]))
        refuse_far(shift, max_mean_shift)
        if dry_run:
            self.say("Dry run: nothing was changed.")
        return not dry_run

    def activate(self, package: Package, note: str) -> None:
        before = ModelRelease.objects.active()
        active = put_into_service(note, package)
        what_follows = "It was active already; no score changes." if active == before else "All customers are rescored."
        self.say(f"Active model: {active}. {what_follows}")
        former.remove_oldest(settings.ML_ASSETS_DIR, active.fingerprint)

    def show_status(self) -> None:
        now = rollover()
        self.say(f"Active model: {now.active or 'none'}", *other_files(now), *counts(now))
        for release in ModelRelease.objects.all()[:RELEASES_SHOWN]:
            kept = former.is_kept(settings.ML_ASSETS_DIR, release.fingerprint)
            self.say(
                f"{release} of {release.released_at:%Y-%m-%d %H:%M}{' (kept here)' if kept else ''}: {release.note}"
            )

    def watch(self) -> None:
        try:
            self.watch_until_done()
        except KeyboardInterrupt:
            self.say("No longer watching; rescoring goes on. Watch again with: manage.py release_model --wait")

    def watch_until_done(self) -> None:
        former_look, moved_at = None, monotonic()
        while (now := rollover()).remaining:
            seconds = monotonic() - moved_at
            if former_look is None or now.done != former_look.done:
                self.say(progress(now, former_look, seconds))
                former_look, moved_at = now, monotonic()
            elif seconds > IDLE_SECONDS:
                self.say(
                    f"Nothing was scored for {seconds:.0f} s. Is a worker running (manage.py qcluster)? "
                    "Its log names customers whom the model refuses."
                )
                moved_at = monotonic()
            sleep(LOOK_SECONDS)
        self.say(f"All {now.customers:,} customers are scored by {now.active}.")

    def say(self, *lines: str) -> None:
        for line in lines:
            self.stdout.write(line)
        self.stdout.flush()


def share(text: str) -> float:
    """A number from 0 to 1, as an argument's type."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


def refuse_contradictions(path: Path | None, *, rollback: bool, status: bool, wait: bool, to: int | None) -> None:
    if path and (rollback or status):
        raise CommandError("PATH is for a release alone, not for --rollback or --status.")
    if to is not None and not rollback:
        raise CommandError("--to goes with --rollback.")
    if not (path or rollback or status or wait):
        raise CommandError("Name the PATH of a model file, or one of --rollback, --status, --wait.")


def refuse_unwritable(*, dry_run: bool, **_others: Any) -> None:
    """Before the file is verified and tried out, which takes longer than the answer may be waited for."""
    if not dry_run:
        model_folder.refuse_unwritable(settings.ML_ASSETS_DIR)


def refuse_far(shift: Shift | None, most: float | None) -> None:
    if shift is not None and most is not None and abs(shift.of_mean) > most:
        raise CommandError(
            f"Refused: the mean score would move by {shift.of_mean:+.4f}, more than {most} (--max-mean-shift). "
            "Nothing was changed."
        )


def other_files(now: Rollover) -> list[str]:
    """A line where another model lies in place on this machine."""
    if now.active is None:
        return []
    forest, instead = in_place(now.active)
    if forest is not None:
        return []
    if former.is_kept(settings.ML_ASSETS_DIR, now.active.fingerprint):
        return [f"  {instead}; this machine scores with the kept files of {now.active}"]
    return [f"  {instead}; this machine scores nothing"]


def counts(now: Rollover) -> list[str]:
    """Who scored how many, newest first, and what is left to do."""
    newest_first = sorted(now.by_release.items(), key=lambda found: -(found[0] or 0))
    lines = [f"  {f'release {by}' if by else 'not scored yet':16} {number:>12,}" for by, number in newest_first]
    mixed = ", scores of several models stand side by side" if now.mixed else ""
    return [*lines, f"  {'left to rescore':16} {now.remaining:>12,}{mixed}"]


def progress(now: Rollover, former_look: Rollover | None, seconds: float) -> str:
    pace = f", {(now.done - former_look.done) / seconds:,.0f} a second" if former_look and seconds else ""
    scored = f"{now.done:,} of {now.customers:,} customers are scored by {now.active}"
    return f"{scored}, {now.remaining:,} to go{pace}"
