"""Score a proposed model beside the active one: start, stop, and see how the two compare."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.management.progress import positive
from customers.models import ModelProposal, ShadowRun, ShadowScore
from customers.presentation.durations import format_time
from customers.shadow import comparison, runs
from customers.shadow.description import describe_agreement, describe_movers, describe_quality, describe_state

STATE = (
    *("proposal_id", "fingerprint", "share", "is_on", "started_by", "started_at", "start_reason"),
    *("stopped_by", "stopped_at", "stop_reason", "swept_at", "unscored"),
)


class Command(BaseCommand):
    help = (
        "Score a proposed model beside the active one, on some or all customers, and compare the two. No score of a "
        "customer changes. Without --start or --stop: show the last comparison."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--start", type=positive, metavar="PROPOSAL_ID", help="score this open proposal")
        what.add_argument("--stop", action="store_true", help="stop, and delete the scores of the proposed model")
        what.add_argument("--status", action="store_true", help="show the last comparison (the default)")
        what.add_argument("--compare", action="store_true", help="compare now: a pass through all customers")
        parser.add_argument(
            "--share", type=float, default=1.0, metavar="X", help="of all customers, 0 to 1 (%(default)s)"
        )
        parser.add_argument("--by", default="", metavar="USERNAME", help="who starts or stops it; required for both")
        parser.add_argument("--reason", default="", help="why; required to start or stop, and kept")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, start: int | None, stop: bool, by: str, reason: str, **options: Any) -> None:
        if (start or stop) and not by:
            raise CommandError("Name the person who wants this, by user name: --by USERNAME.")
        try:
            if start:
                run = runs.start(proposal_of(start), share=options["share"], by=by, reason=reason)
            elif stop:
                run = runs.stop(by=by, reason=reason)
            else:
                run = last_run()
        except runs.ShadowError as error:
            raise CommandError(f"{error} Nothing was changed.") from None
        if options["compare"]:
            comparison.compare(run)
            run.refresh_from_db()
        self.stdout.write(as_json(run) if options["json"] else "\n".join(describe(run)))


def proposal_of(number: int) -> ModelProposal:
    found = ModelProposal.objects.filter(pk=number).first()
    if found is None:
        raise CommandError(f"There is no proposal {number}. Nothing was changed.")
    return found


def last_run() -> ShadowRun:
    run = ShadowRun.objects.first()
    if run is None:
        raise CommandError("No model has been scored in shadow. Start it with: manage.py shadow --start PROPOSAL_ID")
    return run


def as_json(run: ShadowRun) -> str:
    state = {name: getattr(run, name) for name in STATE}
    movers = [asdict(it) for it in comparison.movers_of(run)]
    return json.dumps({**state, "comparison": run.figures, "movers": movers}, cls=DjangoJSONEncoder)


def describe(run: ShadowRun) -> Iterator[str]:
    yield f"Proposal {run.proposal_id} in shadow"
    yield describe_state(run)
    yield f"Scores stored: {ShadowScore.objects.filter(run_id=run.pk).count():,}"
    found = comparison.figures_of(run)
    if found is None:
        yield "Not compared yet. A worker compares when these customers are scored; or now: manage.py shadow --compare"
        return
    yield f"\nCompared with release {found.release}, as of {format_time(found.at)}"
    yield in_columns(("figure", "value"), list(describe_agreement(found)))
    yield ""
    yield in_columns(("against outcomes", "active model", "proposed model"), list(describe_quality(found)))
    movers = list(describe_movers(comparison.movers_of(run)))
    if movers:
        yield ""
        yield in_columns(("customer", "active model", "proposed model", "difference"), movers)
