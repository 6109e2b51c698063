"""Are stored scores right? Recomputed by scikit-learn itself, and never silently repaired.

A row is read in one statement, values, score and version: an edit at the same time shows wholly or not at all.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from customers.import_export.staging import Progress
from customers.ml_service import Forest, ScoringError
from customers.ml_service.files.original import Original
from customers.ml_service.files.pickles import load_estimator
from customers.ml_service.schema import FEATURES
from customers.models import AuditFinding, Customer, ModelRelease, ScoreRecord
from customers.releases import storage
from customers.releases.active import active_model
from customers.scoring import scorer
from customers.scoring.claims import CustomerBusyError, CustomerObjectedError
from customers.scoring.marks import count_unmarked
from customers.scoring.staleness import STALE
from customers.sql import fetch_rows

log = logging.getLogger("vigilpay.audit")

# Two ways to add up the same trees differ by some 1e-16.
TOLERANCE = 1e-9
PAGE_ROWS = 5000

_CURRENT = f"""
SELECT customer_id, version, churn_risk_score, EXISTS (
    SELECT FROM customers_scorerecord AS record
    WHERE record.customer_id = customer.customer_id AND record.arrived_at = customer.arrived_at
      AND record.version = customer.version
      AND record.scored_by_id = customer.scored_by_id AND record.score = customer.churn_risk_score
), value_at_risk IS NOT DISTINCT FROM round(greatest(balance, 0) * churn_risk_score::numeric, 2),
    {", ".join(FEATURES)}
FROM customers_customer AS customer
WHERE NOT {STALE}
"""
NEXT_PAGE = f"{_CURRENT} AND customer_id > %(after)s ORDER BY customer_id LIMIT %(rows)s"
THESE = f"{_CURRENT} AND customer_id = ANY(%(ids)s)"


class Row(NamedTuple):
    """A current row as read."""

    customer_id: int
    version: int
    score: float
    recorded: bool
    value_is_right: bool  # the value at risk is the one of this score and this balance
    features: tuple[Any, ...]


class Wrong(NamedTuple):
    """A row whose score is not what it should be."""

    row: Row
    expected: float


@dataclass(frozen=True)
class Examined:
    """What an audit found in some rows: scores that are wrong, those that are not in the history, and values at risk
    that are not those of the score."""

    rows: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    unrecorded: list[int] = field(default_factory=list)
    wrong_values: list[int] = field(default_factory=list)

    @property
    def broken(self) -> list[int]:
        """Each broken row's customer once."""
        return sorted({wrong.row.customer_id for wrong in self.wrong} | {*self.unrecorded, *self.wrong_values})


@dataclass(frozen=True)
class AuditReport:
    """Counts of an audit; ``left`` are broken rows that were not repaired."""

    audited: int = 0
    wrong: int = 0
    unrecorded: int = 0
    wrong_values: int = 0
    left: int = 0
    unmarked: int = 0


class Auditor:
    """Holds rows against one release: the active one when the audit began."""

    def __init__(self) -> None:
        forest, self.release = active_model()
        self._original = original_of(forest, self.release)

    def audit(self, ids: Sequence[int] | None = None, *, mend: bool, progress: Progress) -> AuditReport:
        """Audit the customers with these ids, or all."""
        audited = wrong = unrecorded = wrong_values = left = 0
        for rows in self.pages(ids):
            found = self.examine(rows)
            self.record(found)
            audited, wrong = audited + found.rows, wrong + len(found.wrong)
            unrecorded += len(found.unrecorded)
            wrong_values += len(found.wrong_values)
            left += len((self.mended(found) if mend else found).broken)
            progress("audited", audited)
        return AuditReport(audited, wrong, unrecorded, wrong_values, left, count_unmarked(self.release))

    def pages(self, ids: Sequence[int] | None) -> Iterator[list[Row]]:
        """Current rows, some at a time: each page a statement of its own, so that no long one holds up a vacuum."""
        if ids is not None:
            for start in range(0, len(ids), PAGE_ROWS):
                yield self.read_rows(THESE, ids=list(ids[start : start + PAGE_ROWS]))
            return
        rows = self.read_rows(NEXT_PAGE, after=0, rows=PAGE_ROWS)
        while rows:
            yield rows
            rows = self.read_rows(NEXT_PAGE, after=rows[-1].customer_id, rows=PAGE_ROWS)

    def read_rows(self, statement: str, **values: Any) -> list[Row]:
        return [Row._make((*row[:5], row[5:])) for row in fetch_rows(statement, {**values, "release": self.release.pk})]

    def examine(self, rows: Sequence[Row]) -> Examined:
        if not rows:
            return Examined()
        expected = self._original.predict_tuples([row.features for row in rows]).tolist()
        # Not the other way round: what can't be compared is wrong.
        wrong = [
            Wrong(row, score)
            for row, score in zip(rows, expected, strict=True)
            if not abs(row.score - score) <= TOLERANCE
        ]
        with_wrong_score = {found.row.customer_id for found in wrong}
        return Examined(
            rows=len(rows),
            wrong=wrong,
            unrecorded=[row.customer_id for row in rows if not row.recorded],
            wrong_values=[
                row.customer_id for row in rows if not row.value_is_right and row.customer_id not in with_wrong_score
            ],
        )

    def record(self, found: Examined) -> None:
        """A line in the log for each wrong score, and a finding unless there is an open one."""
        for row, expected in found.wrong:
            log.error(
                "Wrong score: customer %s, version %s, stored %r, expected %r by %s",
                row.customer_id,
                row.version,
                row.score,
                expected,
                self.release,
            )
        if found.unrecorded:
            count, first = len(found.unrecorded), found.unrecorded[0]
            log.error("Scores of %s customers are not in the history, customer %s among them", count, first)
        if found.wrong_values:
            count, first = len(found.wrong_values), found.wrong_values[0]
            log.error("Wrong value at risk of %s customers, customer %s among them", count, first)
        findings = [
            AuditFinding(
                customer_id=row.customer_id,
                stored_score=row.score,
                expected_score=expected,
                version=row.version,
                release=self.release,
            )
            for row, expected in found.wrong
        ]
        AuditFinding.objects.bulk_create(findings, ignore_conflicts=True, batch_size=PAGE_ROWS)

    def mended(self, found: Examined) -> Examined:
        """Score the broken rows anew, and examine them again: a wrong engine repairs nothing."""
        for customer_id in found.broken:
            repair(customer_id)
        again = self.examine(self.read_rows(THESE, ids=found.broken))
        AuditFinding.objects.close_settled()
        self.record(again)
        return again


def audit(ids: Sequence[int] | None = None, *, mend: bool = False, progress: Progress | None = None) -> AuditReport:
    """Audit the current rows among these customers, or all current rows; repair broken ones only with ``mend``.

    Raises ``ModelError`` when the active model can't be used here.
    """
    auditor = Auditor()
    AuditFinding.objects.close_settled()
    report = auditor.audit(ids, mend=mend, progress=progress or Progress())
    if report.unmarked:
        log.error(
            "%s stale customers are covered by no mark: they wait for the next check of all customers", report.unmarked
        )
    return report


def repair(customer_id: int) -> None:
    """Score a broken row anew, with a record in the history. One that can't be is left to the next audit."""
    try:
        scorer.analyze(customer_id, cause=ScoreRecord.Cause.AUDIT)
    except (Customer.DoesNotExist, CustomerObjectedError):
        pass  # deleted since, or objected, and the score is gone
    except (CustomerBusyError, ScoringError) as error:
        log.warning("Customer %s could not be repaired: %s", customer_id, error)


def original_of(forest: Forest, release: ModelRelease) -> Original:
    """The active model as scikit-learn knows it. Only a file with the checksum of its release is unpickled."""
    return Original(load_estimator(storage.source_of(release)), forest.encodings)
