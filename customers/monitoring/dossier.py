"""Everything that is known of a release, as one document: what a model validator, or a supervisor, asks for.

It is made from the database alone: no clock, and nothing about single customers. So it is the same until something
new is known of the release. What is not known is said to be missing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from customers.ml_service import card
from customers.ml_service.card import Block, Section, Table
from customers.models import ModelFile, ModelProposal, ModelRelease
from customers.monitoring import dossier_findings as findings
from customers.monitoring.dossier_findings import MissingPartError, replaced_by
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent, format_points

PRESENT, MISSING = "present", "missing"

# Where a release keeps what a section of the card is about.
KEPT: Mapping[str, tuple[str, ...]] = {
    "Data": ("training",),
    "Quality": ("metrics",),
    "Calibration": ("diagnostics", "calibration"),
    "What the scores rest on": ("diagnostics", "importances"),
    "How each field moves the score": ("diagnostics", "effects"),
    "Groups of customers": ("diagnostics", "subgroups"),
    "Protected fields": ("diagnostics", "without"),
    "Limits": ("diagnostics", "limits"),
}

INTRODUCTION = (
    "Made by manage.py model_dossier from the database: the release, the card of its model, and what was found since. "
    "It holds nothing about single customers."
)


def title_of(release: ModelRelease) -> str:
    return f"Model dossier: release {release.pk}"


def sections(release: ModelRelease) -> list[Section]:
    """The whole document, with a table of its parts in front."""
    parts = [("Release", True, [*about(release)]), *of_card(release)]
    parts += [part(title, find, release) for title, find in PARTS.items()]
    rows = [(title, PRESENT if is_present else MISSING) for title, is_present, _ in parts]
    contents = Section("Contents", [INTRODUCTION, Table(("part", "state"), rows)])
    return [contents, *(Section(title, blocks) for title, _, blocks in parts)]


Found = tuple[str, bool, list[Block]]
Find = Callable[[ModelRelease], Iterator[Block]]


def part(title: str, find: Find, release: ModelRelease) -> Found:
    try:
        return title, True, [*find(release)]
    except MissingPartError as error:
        return title, False, [f"Missing: {error}"]


# --- the release and its model ----------------------------------------------------------------------------------------


def about(release: ModelRelease) -> Iterator[Block]:
    is_active = ModelRelease.objects.active_id() == release.pk
    following = replaced_by(release)
    is_stored = ModelFile.objects.filter(pk=release.fingerprint).exists()
    facts = [
        ("release", f"{release.pk}"),
        ("state", "active" if is_active else f"replaced by {describe(following)}" if following else "not active"),
        ("released", format_time(release.released_at)),
        ("decided by", release.get_approval_display()),
        ("proposed by", release.proposed_by or MISSING),
        ("approved by", release.approved_by or MISSING),
        ("note", release.note or MISSING),
        ("SHA-256 of model.pkl", release.sha256),
        ("fingerprint of file and label codes", release.fingerprint),
        ("checksum of the compiled model", release.arrays_sha256 or MISSING),
        ("model in the database", "yes" if is_stored else MISSING),
    ]
    yield Table(("fact", "value"), facts)


def describe(release: ModelRelease) -> str:
    return f"release {release.pk} on {format_time(release.released_at)}"


def of_card(release: ModelRelease) -> Iterator[Found]:
    """The sections of the model card; those without anything measured say so."""
    for section in card.sections({**release.metadata, "sha256": release.sha256}):
        is_present = is_kept(release.metadata, KEPT.get(section.title, ()))
        missing = [] if is_present else ["Missing in the metadata of the model."]
        yield section.title, is_present, [*missing, *section.blocks]


def is_kept(metadata: Any, keys: tuple[str, ...]) -> bool:
    """Whether there is something under the last of these keys, each within what the one before has."""
    for key in keys:
        metadata = metadata.get(key) if isinstance(metadata, dict) else None
    return bool(metadata) or not keys


# --- decisions --------------------------------------------------------------------------------------------------------


def decisions(release: ModelRelease) -> Iterator[Block]:
    """Who proposed this model, what was verified, and who decided."""
    found = ModelProposal.objects.filter(fingerprint=release.fingerprint).order_by("pk")
    if not found:
        raise MissingPartError("this model was not proposed; one person, or an earlier version, released it.")
    for proposal in found:
        decided = f"{proposal.decided_by}, {format_time(proposal.decided_at)}" if proposal.decided_at else "not yet"
        facts = [
            ("proposal", f"{proposal.pk}"),
            ("kind", proposal.get_kind_display()),
            ("state", proposal.get_state_display()),
            ("proposed", f"{proposal.proposed_by}, {format_time(proposal.proposed_at)}"),
            ("decided", decided),
            ("note", proposal.note or MISSING),
            ("reason", proposal.reason or MISSING),
            ("became", f"release {proposal.release_id}" if proposal.release_id else "no release"),
            *(("verified", str(finding)) for finding in proposal.findings),
            *describe_shift(proposal.shift),
        ]
        yield Table(("fact", "value"), facts)


def describe_shift(shift: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """How churn risks would have moved, by the dry run before the proposal."""
    unknown = sorted((shift or {}).get("unknown", {}).items(), key=lambda it: (-it[1], it[0]))
    waiting = [(f"would wait: {word} not known", format_count(it, "customer", "customers")) for word, it in unknown]
    if not shift or "customers" not in shift:
        return [("change of churn risks", MISSING), *waiting]
    quantiles = sorted((int(percent), change) for percent, change in shift["quantiles"].items())
    return [
        ("dry run", format_count(shift["customers"], "customer drawn at random", "customers drawn at random")),
        (
            "mean churn risk before and after",
            f"{format_percent(shift['mean_before'])}, {format_percent(shift['mean_after'])}",
        ),
        ("changed by more than 10 points", format_percent(shift["moved_far"])),
        *((f"change at percentile {percent}", format_points(100 * change)) for percent, change in quantiles),
        *waiting,
    ]


def service(release: ModelRelease) -> Iterator[Block]:
    """Each time that this model was put into service, rollbacks among them."""
    rows = []
    for one in ModelRelease.objects.filter(fingerprint=release.fingerprint).defer("metadata").order_by("pk"):
        following = replaced_by(one)
        ended = describe(following) if following else "active"
        rows.append((f"{one.pk}", format_time(one.released_at), one.get_approval_display(), one.note, ended))
    yield Table(("release", "released", "decided by", "note", "replaced by"), rows)
    if len(rows) == 1:
        yield "This model was put into service once; no rollback led to it."


PARTS: Mapping[str, Find] = {
    "Proposals and approvals": decisions,
    "Shadow scoring": findings.shadow_scoring,
    "Service and rollbacks": service,
    "Drift": findings.drift_checks,
    "Fairness of current scores": findings.fairness_checks,
    "Outcomes": findings.outcomes,
    "Estimated performance": findings.estimated,
    "Audits": findings.audits,
}
