"""Everything about a release in one document."""

import re
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.ml_service.messages import NO_BREAK
from customers.models import AuditFinding, Customer, ModelProposal, ModelRelease, ShadowRun
from customers.monitoring import dossier, drift, fairness
from customers.presentation.durations import format_day, format_time
from customers.releases.active import active_model
from customers.scoring import scorer
from tests.customers.monitoring.outcomes import make_past
from tests.factories import make_customers

pytestmark = pytest.mark.django_db

TODAY = timezone.localdate()
SCORED_ON = TODAY - timedelta(days=250)
SHIFT = {
    "customers": 2000,
    "mean_before": 0.2,
    "mean_after": 0.21,
    "of_mean": 0.01,
    "moved_far": 0.05,
    "quantiles": {"99": 0.2, "5": -0.03, "50": 0.0},
}


def write(release, folder):
    out = StringIO()
    call_command("model_dossier", str(release.pk), "--output", str(folder), stdout=out)
    assert str(folder / f"release-{release.pk}.md") in out.getvalue()
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}


def text_of(release):
    """The sections by their titles, in plain words."""
    found = {}
    for section in dossier.sections(release):
        cells = [block if isinstance(block, str) else repr(block) for block in section.blocks]
        found[section.title] = " ".join(cells).replace(NO_BREAK, " ").replace("\\xa0", " ")
    return found


def states(release):
    [contents] = [section for section in dossier.sections(release) if section.title == "Contents"]
    return dict(contents.blocks[-1].rows)


@pytest.fixture
def known():
    """A release of which there is everything."""
    _forest, release = active_model()
    make_customers(60)
    assert scorer.rescore_batch().stored == 60
    drift.check()
    make_past(700, scored_on=SCORED_ON, release=release.pk, known_until=SCORED_ON + timedelta(days=181))
    fairness.check()
    ModelProposal.objects.create(
        sha256=release.sha256,
        fingerprint=release.fingerprint,
        arrays_sha256=release.arrays_sha256,
        note="The <b>new</b> | one",
        findings=["columns: by name", "sanity: good"],
        shift=SHIFT,
        proposed_by="ann",
        state=ModelProposal.State.APPROVED,
        decided_by="bob",
        decided_at=timezone.now(),
        reason="Better",
        release=release,
    )
    ShadowRun.objects.create(
        proposal=ModelProposal.objects.get(),
        fingerprint=release.fingerprint,
        share=0.5,
        started_by="bob",
        start_reason="compare",
        wording="",
        is_on=False,
        stopped_at=timezone.now(),
        stop_reason="approved",
        figures=SIDE_BY_SIDE,
    )
    customer = Customer.objects.first()
    AuditFinding.objects.create(
        customer_id=customer.pk, stored_score=0.123456, expected_score=0.5, version=1, release=release
    )
    release.metadata = {**release.metadata, "diagnostics": {**release.metadata["diagnostics"], "without": WITHOUT}}
    release.save(update_fields=["metadata"])
    return release


SIDE_BY_SIDE = {
    **{"as_of": "2026-11-01T10:00:00+00:00", "release": 3, "customers": 1234, "with_outcome": 60, "left": 20},
    **{"mean_active": 0.2, "mean_proposed": 0.21, "mean_distance": 0.034, "same_band": 0.9, "moved_far": 0.05},
    **{"active": None, "proposed": {"roc_auc": 0.86, "roc_auc_error": 0.01, "brier": 0.1, "calibration_error": 0.02}},
}
WITHOUT = {"method": "5-fold", "roc_auc": 0.86, "fields": {"gender": {"roc_auc": 0.85, "lost": 0.01, "std": 0.002}}}


def test_nothing_is_missing_of_a_release_that_all_is_known_of(known):
    found = states(known)
    assert set(found.values()) == {"present"}
    assert {"Release", "Data", "Groups of customers", "Protected fields", "Outcomes", "Audits"} <= found.keys()


def test_repeated_runs_are_the_same_byte_for_byte(known, tmp_path):
    first = write(known, tmp_path / "one")
    assert write(known, tmp_path / "two") == first
    assert {name.rpartition(".")[2] for name in first} == {"md", "html", "svg"}
    shown = set(re.findall(r"\]\((card/[^)]+)\)", first[f"release-{known.pk}.md"].decode()))
    assert shown == {name for name in first if name.startswith("card/")}


def test_each_part_tells_what_was_found(known):
    text = text_of(known)
    assert "('state', 'active')" in text["Release"]
    assert format_time(known.released_at) in text["Release"]
    assert "ann, " in text["Proposals and approvals"]
    assert "('change at percentile 5', '-3.0 points')" in text["Proposals and approvals"]
    assert "('reason', 'Better')" in text["Proposals and approvals"]
    assert "('share of customers', '50.0 %')" in text["Shadow scoring"]
    assert "('mean absolute difference', '3.4 points')" in text["Shadow scoring"]
    assert "('ROC AUC, active model', 'too few outcomes to tell')" in text["Shadow scoring"]
    assert "('ROC AUC, this model', '0.860 ± 0.010')" in text["Shadow scoring"]
    assert "1 check is kept" in text["Drift"]
    assert "('checked', 'largest shift', 'PSI', 'result')" in text["Drift"]
    assert "60 customers with an up-to-date score" in text["Fairness of current scores"]
    assert f"before {format_day(SCORED_ON + timedelta(days=2))}" in text["Outcomes"]
    assert "700 customers" in text["Outcomes"]
    assert "'ROC AUC'" in text["Outcomes"]
    assert "'of those who left'" in text["Outcomes"]
    assert "estimated ROC AUC" in text["Estimated performance"]
    assert "('wrong scores found', '1')" in text["Audits"]
    assert "put into service once" in text["Service and rollbacks"]


def test_no_customer_is_in_it(known, tmp_path):
    told = b"".join(write(known, tmp_path).values()).decode()
    assert "Made Up" not in told
    assert "0.123456" not in told
    assert "1000000" not in told
    assert "<b>new</b>" not in told


def test_what_there_is_not_is_said_to_be_missing():
    release = ModelRelease.objects.create(sha256="a" * 64, fingerprint="b" * 64)
    found, text = states(release), text_of(release)
    assert {title for title, state in found.items() if state == "present"} == {
        *("Release", "Intended use", "Service and rollbacks", "Audits"),
    }
    for title in found.keys() - {"Release", "Intended use", "Service and rollbacks", "Audits"}:
        assert text[title].startswith("Missing"), title
    assert "import_outcomes" in text["Outcomes"]
    assert "('model in the database', 'missing')" in text["Release"]


def test_a_release_that_was_replaced_is_judged_by_its_own_last_scores():
    old = ModelRelease.objects.create(sha256="a" * 64, fingerprint="b" * 64)
    yesterday = TODAY - timedelta(days=1)
    make_past(300, scored_on=SCORED_ON, release=old.pk, known_until=yesterday)
    new = ModelRelease.objects.create(
        sha256="c" * 64,
        fingerprint="d" * 64,
        released_at=timezone.now() - timedelta(days=249),
    )
    make_past(300, scored_on=SCORED_ON + timedelta(days=20), release=new.pk, known_until=yesterday)
    assert f"before {format_day(SCORED_ON + timedelta(days=1))}" in text_of(old)["Outcomes"]
    assert "300 customers" in text_of(old)["Outcomes"]
    assert f"replaced by release {new.pk}" in text_of(old)["Release"]
    assert states(old)["Estimated performance"] == "missing"


def test_rollbacks_are_told():
    first = ModelRelease.objects.create(sha256="a" * 64, fingerprint="b" * 64, note="first")
    ModelRelease.objects.create(sha256="c" * 64, fingerprint="d" * 64)
    again = ModelRelease.objects.create(
        sha256="a" * 64, fingerprint="b" * 64, approval="rollback", proposed_by="ann", note="back"
    )
    for release in (first, again):
        service = text_of(release)["Service and rollbacks"]
        assert f"'{first.pk}'" in service
        assert f"'{again.pk}'" in service
        assert "Rollback by one person" in service
        assert "put into service once" not in service


def test_an_unknown_release_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="There is no release 77"):
        call_command("model_dossier", "77", "--output", str(tmp_path))


def test_a_folder_that_can_not_be_written_is_an_error(tmp_path):
    release = ModelRelease.objects.create(sha256="a" * 64, fingerprint="b" * 64)
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("model_dossier", str(release.pk), "--output", str(tmp_path / "file"))
