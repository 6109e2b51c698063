"""After the storm, untouched: is every score right, every committed edit there, and the history consistent?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from customers.ml_service.schema import FEATURES
from tests.chaos.forests import ALPHABETICAL, Forests
from tests.chaos.ledger import Ledger
from tests.money import value_at_risk

TOLERANCE = 1e-9

COLUMNS = ", ".join(FEATURES)
ROWS = f"""
SELECT customer_id, version, stale_since, scored_version, scored_by_id, churn_risk_score, {COLUMNS}
FROM customers_customer ORDER BY customer_id
"""
NEWEST_RELEASE = "SELECT id, sha256 FROM customers_modelrelease ORDER BY id DESC LIMIT 1"
STALE = """
SELECT count(*) FROM customers_customer
WHERE stale_since IS NOT NULL
    OR objected_at IS NULL AND scored_by_id IS DISTINCT FROM (SELECT max(id) FROM customers_modelrelease)
"""
# There may be none at any moment. A mark would be none the worse.
SCORED_OBJECTORS = """
SELECT customer_id, version, churn_risk_score, reason_codes FROM customers_customer
WHERE objected_at IS NOT NULL
  AND num_nonnulls(churn_risk_score, value_at_risk, scored_version, scored_by_id, scored_at, contributions,
      reason_codes) > 0
"""
# Of rows that say that they are scored as they are. A score that waits for another goes with a balance of before.
VALUES = """
SELECT customer_id, version, balance, churn_risk_score, value_at_risk FROM customers_customer
WHERE stale_since IS NULL AND churn_risk_score IS NOT NULL
"""

# The last record of a customer is the row's own.
NOT_THE_NEWEST = """
SELECT customer_id, customer.scored_version, customer.churn_risk_score, customer.scored_by_id, customer.contributions,
    record.version, record.score, record.scored_by_id, record.contributions
FROM customers_customer AS customer LEFT JOIN LATERAL (
    SELECT version, score, scored_by_id, contributions FROM customers_scorerecord AS record
    WHERE record.customer_id = customer.customer_id ORDER BY id DESC LIMIT 1
) AS record ON true
WHERE stale_since IS NULL AND objected_at IS NULL
  AND (scored_version, churn_risk_score, customer.scored_by_id, customer.contributions)
      IS DISTINCT FROM (record.version, record.score, record.scored_by_id, record.contributions)
"""
# What the reasons leave of a score is the base value: one and the same number for all scores of a release.
REASONS_OF_ANOTHER_SCORE = """
SELECT scored_by_id, min(base), max(base), count(*) FILTER (WHERE base IS NULL) FROM (
    SELECT scored_by_id, score - (SELECT sum(part::float8) FROM unnest(contributions) AS part) AS base
    FROM customers_scorerecord WHERE id > %s
) AS record
GROUP BY scored_by_id HAVING max(base) - min(base) > 1e-5 OR bool_or(base IS NULL)
"""
WRITTEN_BY_THE_BANK = 0.999
# Each record continues the one before it, if that came after a certain record; or what a trigger of the bank's had
# written over that score, behind all of ours, in a row that was stale from then on.
BROKEN_CHAINS = f"""
SELECT customer_id, id, version, former_version, previous_score, former_score FROM (
    SELECT *, lag(score) OVER chain AS former_score, lag(version) OVER chain AS former_version,
        lag(id) OVER chain AS former
    FROM customers_scorerecord WHERE id > %s AND customer_id <> ALL(%s)
    WINDOW chain AS (PARTITION BY customer_id ORDER BY id)
) AS record
WHERE previous_score IS DISTINCT FROM former_score AND previous_score IS DISTINCT FROM {WRITTEN_BY_THE_BANK}
    AND (former IS NOT NULL OR %s = 0) OR version < former_version
"""
RECORDS_HOLD_VALUES = """
SELECT count(*) = %s FROM information_schema.columns
WHERE table_name = 'customers_scorerecord' AND column_name = ANY(%s)
"""
RECORDS = f"""
SELECT record.id, record.customer_id, record.version, record.score, release.sha256, release.metadata, {COLUMNS}
FROM customers_scorerecord AS record JOIN customers_modelrelease AS release ON release.id = record.scored_by_id
WHERE record.id > %s ORDER BY record.id
"""
# Rows that say at this moment that they are current, as one statement sees them.
CLAIMING = f"""
SELECT customer_id, version, churn_risk_score, release.sha256, release.metadata, {COLUMNS}
FROM customers_customer JOIN customers_modelrelease AS release ON release.id = scored_by_id
WHERE stale_since IS NULL AND release.id = (SELECT max(id) FROM customers_modelrelease)
"""


@dataclass
class Findings:
    """What is wrong, a line for each row."""

    wrong_scores: list[str] = field(default_factory=list)
    lost_rows: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        return [line for lines in self._kinds() for line in lines]

    def without(self, known: Collection[str]) -> "Findings":
        """What an earlier storm has not left already."""
        return Findings(*([line for line in lines if line not in known] for lines in self._kinds()))

    def _kinds(self) -> tuple[list[str], list[str], list[str]]:
        return self.wrong_scores, self.lost_rows, self.history


def examine(
    connection: psycopg.Connection[Any],
    forests: Forests,
    wanted: str,
    ledgers: Collection[Ledger] = (),
    contested: Iterable[int] = (),
    records_after: int = 0,
    chains_after: int = 0,
) -> Findings:
    """All checks on one state of the database. ``wanted`` is the checksum of the model that is to be active.

    Records up to ``records_after`` have been examined; what came up to ``chains_after`` need not be continued.
    """
    gaps = sorted({*contested, *(customer for ledger in ledgers for customer in ledger.gaps)})
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        rows = connection.execute(ROWS).fetchall()
        active = connection.execute(NEWEST_RELEASE).fetchone()
        return Findings(
            # With another model active the storm is not over, which is reported as such.
            wrong_scores=[
                *(wrong_rows(rows, active[0], forests, wanted) if active and active[1] == wanted else ()),
                *scored_objectors(connection),
                *wrong_values(connection),
            ],
            lost_rows=lost_rows(rows, ledgers),
            history=[
                *broken_history(connection, gaps, chains_after),
                *wrong_records(connection, forests, records_after),
                *wrong_reasons(connection, records_after),
            ],
        )


def unsettled(connection: psycopg.Connection[Any], wanted: str) -> str:
    """What is still to be done, in words; empty when that model is active and nothing is stale."""
    active = connection.execute(NEWEST_RELEASE).fetchone()
    if active is None or active[1] != wanted:
        return f"the active model is {active}, wanted is {wanted[:12]}"
    stale = connection.execute(STALE).fetchone()[0]
    return f"{stale} customers are stale" if stale else ""


# --- the checks -------------------------------------------------------------------------------------------------------


def wrong_rows(rows: list[tuple[Any, ...]], active: int, forests: Forests, wanted: str) -> Iterator[str]:
    """Rows that say they are current, but whose score is not scikit-learn's, or another version's."""
    current = [row for row in rows if row[2] is None and row[4] == active]
    scores = forests.scores(wanted, [row[6:] for row in current])
    for (customer, version, _, scored_version, _, score, *values), expected in zip(current, scores, strict=True):
        if scored_version != version or differs(score, expected):
            yield (
                f"customer {customer}, version {version}, {values}: "
                f"score {score} of version {scored_version}, scikit-learn says {expected}"
            )


def lost_rows(rows: list[tuple[Any, ...]], ledgers: Iterable[Ledger]) -> list[str]:
    table = {row[0]: tuple(row[6:]) for row in rows}
    return [line for ledger in ledgers for line in ledger.lost(table)]


def wrong_reasons(connection: psycopg.Connection[Any], records_after: int) -> Iterator[str]:
    for release, low, high, missing in connection.execute(REASONS_OF_ANOTHER_SCORE, [records_after]):
        yield f"release {release}: scores less their reasons go from {low} to {high}; {missing} have no reasons"


def broken_history(connection: psycopg.Connection[Any], gaps: list[int], after: int = 0) -> Iterator[str]:
    for customer, *found in connection.execute(NOT_THE_NEWEST):
        row, record = found[:4], found[4:]
        yield f"customer {customer}: scored version, score, release, reasons are {row}, in the newest record {record}"
    for customer, record, version, former, previous, score in connection.execute(BROKEN_CHAINS, [after, gaps, after]):
        yield (
            f"customer {customer}, record {record}: version {version} after {former}, "
            f"previous score {previous}, but the record before has {score}"
        )


def wrong_records(connection: psycopg.Connection[Any], forests: Forests, after: int) -> Iterator[str]:
    """Records whose score is not what their release gives for the nine values that they hold."""
    if not connection.execute(RECORDS_HOLD_VALUES, [len(FEATURES), list(FEATURES)]).fetchone()[0]:
        return
    found = [
        (f"record {row[0]}, customer {row[1]}, version {row[2]}", *row[3:])
        for row in connection.execute(RECORDS, [after])
    ]
    yield from disagreeing(found, forests)


def scored_objectors(connection: psycopg.Connection[Any]) -> list[str]:
    """Customers who have objected to being scored, and have something of a score: there may be none at any moment."""
    return [
        f"customer {customer}, version {version}, has objected, and has score {score}, reasons {codes}"
        for customer, version, score, codes in connection.execute(SCORED_OBJECTORS)
    ]


def wrong_values(connection: psycopg.Connection[Any]) -> list[str]:
    """Customers whose value at risk is not their balance times their score, to the cent: there may be none."""
    return [
        f"customer {customer}, version {version}: value at risk {value} of balance {balance}, score {score}"
        for customer, version, balance, score, value in connection.execute(VALUES)
        if value != value_at_risk(balance, score)
    ]


def false_claims(connection: psycopg.Connection[Any], forests: Forests) -> list[str]:
    """Rows that say they are current while scikit-learn says something else: there may be none at any moment."""
    rows = connection.execute(CLAIMING).fetchall()
    claims = [(f"customer {row[0]}, version {row[1]}, in the storm", *row[2:]) for row in rows]
    return [*disagreeing(claims, forests), *scored_objectors(connection), *wrong_values(connection)]


def disagreeing(found: Iterable[tuple[Any, ...]], forests: Forests) -> Iterator[str]:
    """Lines for those of (who, score, checksum, metadata, nine values) where scikit-learn says something else."""
    by_release = defaultdict(list)
    for row in found:
        by_release[row[2], str(row[3].get("encodings"))].append(row)
    for rows in by_release.values():
        checksum, codes = rows[0][2], rows[0][3].get("encodings", ALPHABETICAL)
        scores = forests.scores(checksum, [row[4:] for row in rows], codes)
        for (who, score, _, _, *values), expected in zip(rows, scores, strict=True):
            if differs(score, expected):
                yield f"{who}, {values}: score {score}, model {checksum[:12]} says {expected}"


def differs(score: float | None, expected: float) -> bool:
    return score is None or not abs(score - expected) <= TOLERANCE
