"""The proposed model beside the active one, on the customers that both have scored in the same version.

A pass through all of them takes seconds, so a job makes it and keeps the figures. They name no customer; who differs
most is looked up when a page is opened, by ids that an erasure takes out.
"""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from customers.import_export import outcomes
from customers.ml_service.performance import FEWEST, performance
from customers.models import ModelRelease, ShadowRun
from customers.portfolio.movers import Mover
from customers.sql import fetch_rows, time_limit

log = logging.getLogger("vigilpay.shadow")

MOST_MOVED = 10
FAR = 0.1
QUANTILES = (1, 5, 25, 50, 75, 95, 99)
# Between two comparisons there are at least so many seconds, and so many times what one takes.
REST_SECONDS, REST_TIMES = 600.0, 20
# Two statements, after the time that a job has for scoring: a worker that is silent for longer is taken for hung.
PATIENCE = "15s"
# With more customers the figures of quality would hardly differ, and take longer.
MOST_WITH_OUTCOME = 200_000

PREPARE = """
SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true),
    set_config('max_parallel_workers_per_gather', '0', true)
"""
PAIRS = """
    SELECT shadow.customer_id, customer.churn_risk_score AS active, shadow.score AS proposed, shadow.scored_at
    FROM customers_shadowscore AS shadow JOIN customers_customer AS customer USING (customer_id, arrived_at, version)
    WHERE shadow.run_id = %(run)s AND customer.stale_since IS NULL AND customer.scored_by_id = %(release)s
        AND customer.objected_at IS NULL
"""
COMPARE = f"""
WITH pair AS MATERIALIZED ({PAIRS}), moved AS (
    SELECT customer_id, abs(proposed - active) AS distance FROM pair WHERE proposed <> active
    ORDER BY distance DESC, customer_id LIMIT {MOST_MOVED}
)
SELECT count(*), avg(active), avg(proposed), corr(active, proposed), avg(abs(proposed - active)),
    avg((width_bucket(active, %(bands)s::float8[]) = width_bucket(proposed, %(bands)s::float8[]))::int)::float8,
    avg((abs(proposed - active) > {FAR})::int)::float8,
    percentile_cont(%(quantiles)s::float8[]) WITHIN GROUP (ORDER BY proposed - active),
    ARRAY(SELECT customer_id FROM moved ORDER BY distance DESC, customer_id)
FROM pair
"""
# Who left after the score was made, and who is known to have stayed after it: by an outcome, or since all are known.
WITH_OUTCOME = f"""
SELECT active, proposed, outcome.left_on IS NOT NULL FROM ({PAIRS}) AS pair
LEFT JOIN customers_outcome AS outcome USING (customer_id)
WHERE outcome.left_on > scored_at::date OR outcome.stayed_until > scored_at::date
    OR outcome.customer_id IS NULL AND %(complete_until)s::date > scored_at::date
ORDER BY hashint8(customer_id) LIMIT {MOST_WITH_OUTCOME}
"""
MOVERS = f"SELECT customer_id, active, proposed FROM ({PAIRS}) AS pair WHERE customer_id = ANY (%(ids)s::bigint[])"


@dataclass(frozen=True)
class Quality:
    """How good the scores of one of the two models are against who left."""

    roc_auc: float
    roc_auc_error: float
    brier: float
    calibration_error: float


@dataclass(frozen=True)
class SideBySide:
    """The figures of ``customers``; differences are the proposed model's score less the active one's.

    ``same_band`` and ``moved_far`` are shares. ``left`` of ``with_outcome`` customers left after they were scored; the
    two qualities are None where these are too few to tell.
    """

    as_of: str  # ISO 8601, in UTC
    release: int
    customers: int
    mean_active: float
    mean_proposed: float
    correlation: float | None
    mean_distance: float
    same_band: float
    moved_far: float
    quantiles: dict[str, float]
    with_outcome: int
    left: int
    active: Quality | None
    proposed: Quality | None
    took_seconds: float

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.as_of)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> "SideBySide":
        sides = {name: kept[name] and Quality(**kept[name]) for name in ("active", "proposed")}
        return cls(**{**kept, **sides})


def compare_if_due(run: ShadowRun) -> bool:
    """Compare, unless that is too soon after the last time; whether it was done."""
    run.refresh_from_db(fields=["figures", "compared_at", "swept_at"])
    if run.compared_at is not None and run.compared_at > timezone.now() - rest_after(run):
        return False
    try:
        return compare(run) is not None
    except OperationalError as error:
        ShadowRun.objects.filter(pk=run.pk).update(compared_at=Now())  # the figures of before stay, with their time
        log.warning("%s is not compared with the active model: %s", str(run).capitalize(), error)
        return False


def rest_after(run: ShadowRun) -> timedelta:
    return timedelta(seconds=max(REST_SECONDS, REST_TIMES * (run.figures or {}).get("took_seconds", 0.0)))


def compare(run: ShadowRun) -> SideBySide | None:
    """Compare now, and keep the figures; None where no customer has both scores.

    Raises ``OperationalError`` when it takes longer than its ``PATIENCE``.
    """
    began, at, release = monotonic(), timezone.now(), ModelRelease.objects.active_id()
    which: dict[str, Any] = {"run": run.pk, "release": release}
    by = {"bands": list(settings.RISK_BANDS), "quantiles": [q / 100 for q in QUANTILES]}
    with transaction.atomic(), connection.cursor() as cursor, time_limit(cursor, PATIENCE):
        cursor.execute(PREPARE)
        cursor.execute(COMPARE, which | by)
        customers, *means, quantiles, movers = cursor.fetchone()
        cursor.execute(WITH_OUTCOME, {**which, "complete_until": outcomes.complete_until()})
        known = cursor.fetchall()
    found = None
    if customers and release is not None:
        mean_active, mean_proposed, correlation, mean_distance, same_band, moved_far = means
        active, proposed = judge(known)
        found = SideBySide(
            as_of=at.isoformat(),
            release=release,
            customers=customers,
            mean_active=mean_active,
            mean_proposed=mean_proposed,
            correlation=correlation,
            mean_distance=mean_distance,
            same_band=same_band,
            moved_far=moved_far,
            quantiles={str(q): change for q, change in zip(QUANTILES, quantiles, strict=True)},
            with_outcome=len(known),
            left=sum(left for *_scores, left in known),
            active=active,
            proposed=proposed,
            took_seconds=monotonic() - began,
        )
    kept = {"figures": found and asdict(found), "movers": movers, "compared_at": Now()}
    ShadowRun.objects.filter(pk=run.pk).update(**kept)
    return found


def judge(known: list[tuple[float, float, bool]]) -> tuple[Quality | None, Quality | None]:
    """Both models against who left, on the same customers; None where there are too few to tell."""
    left = [it[2] for it in known]
    if min(sum(left), len(left) - sum(left)) < FEWEST:
        return None, None  # without the seconds that an import takes
    active, proposed = (quality(left, [it[side] for it in known]) for side in (0, 1))
    return active, proposed


def quality(left: list[bool], scores: list[float]) -> Quality | None:
    found = performance(left, scores)
    if found is None:
        return None
    return Quality(found.roc_auc, found.roc_auc_error, found.brier, found.calibration_error)


def figures_of(run: ShadowRun) -> SideBySide | None:
    """As they were when the run was last compared."""
    return SideBySide.from_json(run.figures) if run.figures else None


def movers_of(run: ShadowRun) -> list[Mover]:
    """Whose two scores differed most, as they are now, the largest difference first; each is looked up by its id."""
    values = {"run": run.pk, "release": ModelRelease.objects.active_id(), "ids": run.movers}
    found = [Mover(*row) for row in fetch_rows(MOVERS, values)]
    return sorted(found, key=lambda it: (-abs(it.after - it.before), it.customer_id))
