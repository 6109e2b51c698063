"""The scores of a model that was scored in shadow, taken over when it has become the active one.

They were computed from the same values by the same arrays, so a drain stores them in its usual batches by the statement
that stores all scores, instead of computing them once more. Which of them still answer a customer's present values
stands in the rows: life and version are equal, or the score is computed. docs/decisions/0053-shadow-scoring.md
"""

from time import monotonic
from typing import Any

from django.db.backends.utils import CursorWrapper

from customers.models import ModelRelease
from customers.scoring.claims import CLAIM_KEYS, Claim, claim_next, with_values
from customers.scoring.writing import array, of_release, refuse_altered, wording, write_from

# A run whose reasons were chosen by other rules, or whose scores are deleted, has nothing to take over.
RUNS = """
SELECT id FROM customers_shadowrun
WHERE fingerprint = %(fingerprint)s AND wording = %(wording)s AND cleared_at IS NULL
"""
THERE_ARE_RUNS = f"SELECT EXISTS ({RUNS})"
TAKE_OVER = write_from(
    f"""
    SELECT shadow.customer_id, shadow.version, shadow.score, shadow.contributions AS parts,
        shadow.reason_codes AS codes, shadow.arrived_at AS life
    FROM customers_shadowscore AS shadow
    WHERE shadow.customer_id = ANY (%(ids)s::bigint[]) AND shadow.run_id IN ({RUNS})
    """,
    and_same_life=" AND customer.arrived_at = score.life",
)

# So long a process goes on looking for scores to take over after the last of them may have been deleted.
ASK_AGAIN_SECONDS = 10.0

# Of which release, until when, and what this process knows: most never had any, and none can come later.
_known: tuple[str, float, bool] = ("", 0.0, False)


def forget(**kwargs: Any) -> None:
    """Ask again. Connected to Django's ``connection_created``: it may be another database, or a restored one."""
    global _known
    _known = ("", 0.0, False)


def is_possible(cursor: CursorWrapper, release: ModelRelease) -> bool:
    """Whether scores of this release's model may be there. Mostly sends no query."""
    global _known
    identity, until, are_there = _known
    if identity != release.identity or (are_there and monotonic() > until):
        cursor.execute(THERE_ARE_RUNS, {"fingerprint": release.fingerprint, "wording": wording()})
        are_there = bool(cursor.fetchone()[0])
        _known = (release.identity, monotonic() + ASK_AGAIN_SECONDS, are_there)
    return are_there


def claim_rest(cursor: CursorWrapper, release: ModelRelease, limit: int) -> tuple[Claim, int]:
    """As ``claim_next``, but those whose shadow score answers the version claimed have it as their score now: the claim
    of all others, and how many these were. Raises ``ScoreAlteredError`` as ``store`` does.
    """
    if not is_possible(cursor, release):
        return claim_next(cursor, release, limit), 0
    claim = claim_next(cursor, release, limit, statement=CLAIM_KEYS)
    if not len(claim):
        return claim, 0
    values = {"ids": array(claim.ids), "fingerprint": release.fingerprint, "wording": wording()}
    cursor.execute(TAKE_OVER, {**values, **of_release(release), "cause": "", "requested": array(claim.requested)})
    ids, altered = cursor.fetchone()
    refuse_altered(altered)
    return with_values(cursor, claim.without(set(ids))), len(ids)
