"""How far the customers are on their way from one model to the next."""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, sleep

from customers.ml_service import ModelError
from customers.models import ModelFile, ModelProposal, ModelRelease
from customers.presentation.durations import format_time
from customers.releases.active import forest_of, in_place
from customers.sql import fetch_rows

# One pass through the table: 30 ms at 200,000 customers.
BY_RELEASE = "SELECT scored_by_id, count(*) FROM customers_customer WHERE objected_at IS NULL GROUP BY scored_by_id"

POLL_SECONDS = 2.0
# Nothing scored for so long: probably no worker is running.
IDLE_SECONDS = 30.0
RELEASES_SHOWN = 10


@dataclass(frozen=True)
class Rollover:
    """Customers by the release that scored them; under None those who have no score yet, and have not objected."""

    active: ModelRelease | None
    by_release: dict[int | None, int]

    @property
    def total(self) -> int:
        return sum(self.by_release.values())

    @property
    def done(self) -> int:
        """Customers whose stored score is the active model's."""
        return self.by_release.get(self.active.pk, 0) if self.active else 0

    @property
    def remaining(self) -> int:
        return self.total - self.done

    @property
    def mixed(self) -> bool:
        """Whether stored scores of several models stand side by side."""
        return len(self.by_release.keys() - {None}) > 1


def rollover() -> Rollover:
    """Count the customers by release, now."""
    return Rollover(ModelRelease.objects.active(), dict(fetch_rows(BY_RELEASE)))


def describe_status() -> Iterator[str]:
    """The active model, who scored how many customers, and the newest releases, line by line."""
    now = rollover()
    yield f"Active model: {now.active or 'none'}"
    if now.active is not None:
        yield from describe_other_files(now.active)
    for by, number in sorted(now.by_release.items(), key=lambda found: -(found[0] or 0)):
        yield f"  {f'release {by}' if by else 'not scored yet':16} {number:>12,}"
    mixed = ", scores of several models stand side by side" if now.mixed else ""
    yield f"  {'left to rescore':16} {now.remaining:>12,}{mixed}"
    releases = list(ModelRelease.objects.all()[:RELEASES_SHOWN])
    fingerprints = [release.fingerprint for release in releases]
    stored = set(ModelFile.objects.filter(pk__in=fingerprints).values_list("pk", flat=True))
    for release in releases:
        gone = "" if release.fingerprint in stored else " (model not stored)"
        yield f"{release} of {format_time(release.released_at)}{gone}: {release.note}"
    for proposal in ModelProposal.objects.filter(state=ModelProposal.State.OPEN).order_by("id"):
        yield f"{proposal} ({proposal.kind}) by {proposal.proposed_by} waits for an approval: {proposal.note}"


def describe_other_files(active: ModelRelease) -> Iterator[str]:
    """A line where another model lies in place on this machine."""
    forest, instead = in_place(active)
    if forest is not None:
        return
    try:
        forest_of(active)
    except ModelError as error:
        yield f"  this machine scores nothing: {error}"
    else:
        yield f"  {instead}; this machine scores with the model that the database holds"


def watch() -> Iterator[str]:
    """How far it is, line by line, until all customers are scored by the active model."""
    shown, moved_at = None, monotonic()
    while (now := rollover()).remaining:
        seconds = monotonic() - moved_at
        if shown is None or now.done != shown.done:
            pace = f", {(now.done - shown.done) / seconds:,.0f} a second" if shown and seconds else ""
            scored = f"{now.done:,} of {now.total:,} customers are scored by {now.active}"
            yield f"{scored}, {now.remaining:,} to go{pace}"
            shown, moved_at = now, monotonic()
        elif seconds > IDLE_SECONDS:
            yield (
                f"Nothing was scored for {seconds:.0f} s. Is a worker running (manage.py qcluster)? "
                "Its log names customers whom the model refuses."
            )
            moved_at = monotonic()
        sleep(POLL_SECONDS)
    yield f"All {now.total:,} customers are scored by {now.active}."
