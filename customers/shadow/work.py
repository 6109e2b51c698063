"""What the workers do about shadow scoring: as much as fits between live work, and nothing that live work waits for.

A job is a hint, the run's row says what is to be done. The worker that has the turn does it; one that dies loses it.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from time import monotonic, sleep
from typing import TypeVar, cast

from django.conf import settings
from django.db import DatabaseError

from customers import turns
from customers.ml_service import Forest, ModelError
from customers.models import ShadowRun
from customers.releases import storage
from customers.scoring.contention import lost_to_an_editor
from customers.scoring.marks import LOOK
from customers.scoring.pause import IS_PAUSED
from customers.shadow import batches, comparison, ending
from customers.sql import fetch_row

log = logging.getLogger("vigilpay.shadow")

T = TypeVar("T")

# Of two workers the other one scores what is live; this one waits so long for it, and then leaves the rest to a later
# job. A single worker leaves at once.
PATIENCE_SECONDS = 2.0 if settings.WORKERS > 1 else 0.0
POLL_SECONDS = 0.02

# PostgreSQL's part of the work knows no priorities, so after each step there is a rest, in units of what it took: a
# long one while customers are being edited, which the lease of the drains shows.
REST, REST_BESIDE_EDITS = 1, 9
IS_LIVE = f"""
SELECT ({IS_PAUSED}) OR ({LOOK}),
    EXISTS (SELECT FROM events_watch WHERE awake_until > clock_timestamp() - interval '5 s')
"""

THERE_ARE_RUNS = "SELECT EXISTS (SELECT FROM customers_shadowrun WHERE is_on OR cleared_at IS NULL)"

# The forest that this process has scored with last, by its fingerprint: apart from the active one's, which is needed
# beside it.
_held: tuple[str, Forest] | None = None


@dataclass(frozen=True)
class Work:
    """What a job did; with ``more`` it could have gone on, had it had the time."""

    scored: int = 0
    more: bool = False


def anything_to_do() -> bool:
    """Whether a run is on, or has left scores."""
    return bool(fetch_row(THERE_ARE_RUNS)[0])


def work_off() -> Work:
    """Score in shadow, compare, and delete what is left of former runs, as long as the time of a job lasts."""
    with turns.taken(batches.TURN) as is_ours:
        if not is_ours:
            return Work()
        ends = monotonic() + settings.DRAIN_SECONDS / 2  # the other half is for a comparison
        run = ShadowRun.objects.current()
        work = Work() if run is None else score(run, ends)
        if not work.more:
            work = Work(work.scored, more=clear(ends))
        return work


def score(run: ShadowRun, ends: float) -> Work:
    """Step by step, until nothing is left, the time is up, live work goes on and on, or the run has been stopped."""
    forest = forest_for(run)
    if forest is None:
        return Work()
    batches.begin_pass_if_due(run)
    scored, more = 0, True
    for _ in quiet_moments(ends):
        if not ShadowRun.objects.filter(pk=run.pk, is_on=True).exists():
            return Work(scored)
        try:
            step = unless_lost(partial(batches.next_step, run, forest), batches.Step())
        except ModelError as error:
            give_up(run, error)
            return Work(scored)
        scored, more = scored + step.scored, step.more
        if not more:
            comparison.compare_if_due(run)
            break
    return Work(scored, more=more)


def clear(ends: float) -> bool:
    """Whether something is left to be deleted."""
    runs = list(ending.ended_runs().values_list("pk", flat=True))
    after: int | None = 0 if runs else None
    for _ in quiet_moments(ends) if runs else ():
        if after is not None:
            after = unless_lost(partial(ending.clear_step, runs, after), cast("int | None", after))
        if after is None:
            break
    return after is not None


def unless_lost(work: Callable[[], T], otherwise: T) -> T:
    """What the work gives; or the other, where an editor holds what it needs: then it is done later."""
    try:
        return work()
    except DatabaseError as error:
        if lost_to_an_editor(error):
            return otherwise
        raise


def quiet_moments(ends: float) -> Iterator[None]:
    """Again and again, each time that no live work waits, until the time is up, or live work has gone on too long."""
    patience = monotonic() + PATIENCE_SECONDS
    while (began := monotonic()) < ends:
        waits, edits = fetch_row(IS_LIVE)
        if not waits:
            yield
            sleep((REST_BESIDE_EDITS if edits else REST) * (monotonic() - began))
            patience = monotonic() + PATIENCE_SECONDS
        elif monotonic() >= patience:
            return
        else:
            sleep(POLL_SECONDS)


def forest_for(run: ShadowRun) -> Forest | None:
    """The proposed model, held against its checksums. Where it can't be loaded the run ends, and says why."""
    global _held
    if _held is None or _held[0] != run.fingerprint:
        try:
            _held = (run.fingerprint, storage.read(run.proposal))
        except ModelError as error:
            give_up(run, error)
            return None
    return _held[1]


def give_up(run: ShadowRun, error: ModelError) -> None:
    log.error("%s ends, no score of a customer is affected: %s", str(run).capitalize(), error)
    ShadowRun.objects.stop(by="", reason=f"The model could not be used: {error}.", pk=run.pk)
