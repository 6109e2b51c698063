"""The history of one customer: every score, and the edits that lie between it and the one before."""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from customers.ml_service.reasons.moves import Move, moves
from customers.ml_service.schema import FEATURES
from customers.sql import fetch_rows

# As much of a history as is read at once: newest scores, and newest edits that were never scored.
MOST_SCORES = 200
MOST_EDITS = 1000
LARGEST_RECORD = 2**63 - 1  # no record of a score has this id
UNKNOWN = (None, "")  # in records from before the values were kept

VALUES = ", ".join(FEATURES)

# Each version of a customer stands in one of three places: scored, gone before it was scored, or in the row still,
# where it waits or an objection keeps it from being scored. A customer who left the table and came back begins anew at
# version 1; the lives are told apart by the time of that arrival. From before arrivals were noted, by the time of the
# first version: within a life an edit's statement may have begun before the score that it waited for.
HISTORY = f"""
WITH scored AS (
    SELECT * FROM customers_scorerecord WHERE customer_id = %(customer)s AND id < %(before)s
    ORDER BY id DESC LIMIT %(scores)s
), unscored AS (
    SELECT * FROM customers_unscoredversion
    WHERE customer_id = %(customer)s
      AND ((SELECT count(*) FROM scored) < %(scores)s
           OR edited_at >= (SELECT min(LEAST(stale_since, scored_at)) FROM scored))
      AND (%(to_the_end)s OR edited_at <= (SELECT max(scored_at) FROM scored))
    ORDER BY id DESC LIMIT %(edits)s
), entry AS (
    SELECT arrived_at, version, edited_at, edited_by, {VALUES}, scored_at, score, previous_score, cause, scored_by_id,
        id, contributions,
        version = 1 AND previous_score IS NULL AND stale_since IS NOT NULL AS born, stale_since, scored_at AS at
    FROM scored
    UNION ALL
    SELECT arrived_at, version, edited_at, edited_by, {VALUES}, NULL, NULL, NULL, NULL, NULL, id, NULL,
        version = 1, edited_at, edited_at
    FROM unscored
    UNION ALL
    SELECT arrived_at, version, GREATEST(stale_since, edited_at), edited_by, {VALUES}, NULL, NULL, NULL, NULL, NULL,
        NULL, NULL, version = 1, COALESCE(stale_since, edited_at), GREATEST(stale_since, edited_at)
    FROM customers_customer
    WHERE customer_id = %(customer)s AND COALESCE(stale_since, objected_at) IS NOT NULL AND %(to_the_end)s
), counted AS (
    SELECT *, count(*) FILTER (WHERE born) OVER (
        PARTITION BY arrived_at ORDER BY CASE WHEN born THEN stale_since ELSE at END) AS birth
    FROM entry
)
SELECT arrived_at, birth, version, edited_at, edited_by, id, scored_at, score, previous_score, cause, scored_by_id,
    contributions, {VALUES}
FROM counted
ORDER BY arrived_at, birth, version, scored_at NULLS LAST, id
"""


@dataclass(frozen=True)
class Change:
    """One field of an edit. A border type: numbers, words or booleans, as stored."""

    field: str
    before: int | Decimal | str | bool
    after: int | Decimal | str | bool


@dataclass(frozen=True)
class Edit:
    """What made a version: when, by whom (see ``Behaviour.edited_by``), and which fields it changed.

    Without changes: the customer was added with these values, at version 1, or the values before are no longer kept. A
    customer who has ``returned`` had left the table; the changes are those against the last values known.
    """

    version: int
    edited_at: datetime | None
    edited_by: str
    changes: tuple[Change, ...]
    returned: bool = False


@dataclass(frozen=True)
class Score:
    """A stored score, by the id of its record. Older records have an empty cause, and no contributions."""

    record: int
    score: float
    previous_score: float | None
    version: int
    scored_at: datetime
    cause: str
    release: int
    contributions: list[float] | None = None  # of the nine fields, in FEATURES order

    def moves_since(self, former: "Score | None") -> tuple[Move, ...]:
        """Which reasons have gained or lost against the score before, as far as both were kept with theirs."""
        if former is None or former.contributions is None or self.contributions is None:
            return ()
        return moves(
            former.contributions,
            former.score,
            self.contributions,
            self.score,
            protected=settings.PROTECTED_FIELDS,
        )


@dataclass(frozen=True)
class HistoryEntry:
    """A score, and the edits since the one before it, oldest first. No score: the edits still wait for theirs.

    ``moves`` are what its reasons gained or lost against the score before.
    """

    edits: tuple[Edit, ...]
    score: Score | None
    moves: tuple[Move, ...] = ()


@dataclass(frozen=True)
class VersionRow:
    """One row of the statement above: a customer in one version, with a score of it or without one."""

    life: tuple[datetime, int]
    version: int
    edited_at: datetime | None
    edited_by: str
    values: list[Any]  # in FEATURES order; None in records from before values were kept
    score: Score | None

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> "VersionRow":
        arrived_at, birth, version, edited_at, edited_by, record, scored_at, score, *more = row
        previous, cause, release, reasons, *values = more
        scored = None if score is None else Score(record, score, previous, version, scored_at, cause, release, reasons)
        return cls((arrived_at, birth), version, edited_at, edited_by, values, scored)


def read_history(customer_id: int, scores: int = MOST_SCORES, before: int | None = None) -> list[HistoryEntry]:
    """The newest ``scores`` scores with what led to each, oldest first; empty for an unknown customer.

    With ``before``, the id of a record, the newest of those that are older than it; what came after them is left out.
    """
    # One more, so that the edits which led to the oldest one shown can be compared with something.
    asked = {"customer": customer_id, "scores": scores + 1, "edits": MOST_EDITS, "to_the_end": before is None}
    rows = map(VersionRow.from_row, fetch_rows(HISTORY, {**asked, "before": before or LARGEST_RECORD}))
    entries = newest(list(entries_of(rows)), scores)
    while before is not None and entries and entries[-1].score is None:
        entries.pop()  # edits after the last score belong to one that is not among these
    return entries


def newest(entries: list[HistoryEntry], scores: int) -> list[HistoryEntry]:
    """The end of the history, from the entry on that has the last score but so many."""
    scored = [number for number, entry in enumerate(entries) if entry.score is not None]
    return entries[scored[-scores - 1] + 1 :] if len(scored) > scores else entries


def entries_of(rows: Iterable[VersionRow]) -> Iterator[HistoryEntry]:
    """An entry ends with a score, or when the customer leaves."""
    edits: list[Edit] = []
    before: VersionRow | None = None
    former: Score | None = None
    for row in rows:
        has_returned = before is not None and before.life != row.life
        if has_returned and edits:
            yield HistoryEntry(tuple(edits), None)
            edits = []
        if before is None or (before.life, before.version) != (row.life, row.version):
            edits.append(Edit(row.version, row.edited_at, row.edited_by, changes(before, row), has_returned))
        if row.score is not None:
            yield HistoryEntry(tuple(edits), row.score, row.score.moves_since(former))
            edits, former = [], row.score
        before = row
    if edits:
        yield HistoryEntry(tuple(edits), None)


def changes(before: VersionRow | None, after: VersionRow) -> tuple[Change, ...]:
    """Field by field, as far as both are known."""
    if before is None:
        return ()
    return tuple(
        Change(field, old, new)
        for field, old, new in zip(FEATURES, before.values, after.values, strict=True)
        if old != new and old not in UNKNOWN and new not in UNKNOWN
    )


def editor_names(entries: Sequence[HistoryEntry]) -> dict[str, str]:
    """What to call the editors of these entries: Django's users by their names, in one query."""
    return names_of_editors({edit.edited_by for entry in entries for edit in entry.edits})


def names_of_editors(editors: Set[str]) -> dict[str, str]:
    """By ``Behaviour.edited_by``: Django's users by their names, in one query; what is no user as it stands there."""
    keys = {editor: editor.removeprefix("django:") for editor in editors if editor.startswith("django:")}
    users = get_user_model()._default_manager.filter(pk__in=[key for key in keys.values() if is_key(key)])
    names = {str(user.pk): user.get_username() for user in users}
    return {editor: names.get(keys.get(editor, ""), editor or "unknown") for editor in editors}


def format_editor(name: str) -> str:
    """What staff read for one of ``names_of_editors``: those that are no users in words, too."""
    kind, _, key = name.partition(":")
    match kind:
        case "django":
            return f"deleted user {key}" if key else "a program"
        case "sql":
            return f"database role {key}"
        case "token" if key:
            return f"service token {key}"
    return name


def is_key(text: str) -> bool:
    """Whether a user could have this key: they need not be numbers."""
    try:
        get_user_model()._meta.pk.to_python(text)
    except ValidationError:
        return False
    return True
