"""Which stored models may go: a release stays in the list for ever, its model only as long as it may be asked for."""

from dataclasses import dataclass

from customers.models import ModelFile, ModelProposal, ModelRelease
from customers.releases.rollback import preceding
from customers.sql import fetch_rows

# The releases that scores name: one pass through each table, for neither has an index on them.
NAMED = """
SELECT DISTINCT scored_by_id FROM customers_scorerecord
UNION SELECT DISTINCT scored_by_id FROM customers_customer WHERE scored_by_id IS NOT NULL
"""

SIZES = """
SELECT fingerprint, sha256, octet_length(source) + octet_length(arrays) + pg_column_size(metadata)
FROM customers_modelfile ORDER BY stored_at
"""


@dataclass(frozen=True)
class StoredModel:
    """One row of the table, its size, and why it stays; without a reason it may go."""

    fingerprint: str
    sha256: str
    size: int
    stays_because: str


def stored_models() -> list[StoredModel]:
    """All of them, the oldest first."""
    reasons = reasons_to_stay()
    return [StoredModel(it, sha256, size, reasons.get(it, "")) for it, sha256, size in fetch_rows(SIZES)]


def reasons_to_stay() -> dict[str, str]:
    """By fingerprint; the weightiest reason last, which is the one that is given."""
    reasons: dict[str, str] = {}
    named = {release for (release,) in fetch_rows(NAMED)}
    for release in ModelRelease.objects.filter(pk__in=named).order_by("id"):
        reasons[release.fingerprint] = f"scores name release {release.pk}"
    waiting = ModelProposal.objects.exclude(state=ModelProposal.State.REFUSED).filter(release=None)
    for proposal in waiting:
        reasons[proposal.fingerprint] = f"proposal {proposal.pk} is open"
    active = ModelRelease.objects.active()
    if active is not None:
        if before := preceding(active):
            reasons[before.fingerprint] = f"release {before.pk} was active before"
        reasons[active.fingerprint] = f"release {active.pk} is active"
    return reasons


def prune() -> list[StoredModel]:
    """Delete the models that may go, each for itself; those that went."""
    going = [model for model in stored_models() if not model.stays_because]
    for model in going:
        ModelFile.objects.filter(pk=model.fingerprint).delete()
    return going
