"""Customers with a country or gender that the active model does not know: stored, and reported as a group."""

import hashlib
import json
import logging
import shutil
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from customers.ml_service.files.packaging import verify
from customers.models import Customer, Exclusion, ModelProposal, ScoreRecord, ScoringFailure, is_excluded
from customers.monitoring.audit import audit
from customers.monitoring.dossier import describe_shift
from customers.releases.active import active_model, put_into_service
from customers.releases.dry_run import rehearse
from customers.scoring import failures, marks, scorer
from customers.scoring.requests import give_up
from events.freshness.measures import of_freshness
from events.freshness.queries import freshness
from tests.factories import edit, make_customer, make_customers, make_failure, make_scored
from tests.staff import superuser

pytestmark = pytest.mark.django_db

WITH_ITALY = {"geography": {"France": 0, "Germany": 1, "Italy": 2, "Spain": 2}, "gender": {"Female": 0, "Male": 1}}


@pytest.fixture
def release():
    return active_model()[1]


@pytest.fixture
def italian(another_forest, tmp_path):
    """A verified model that knows Italy, too."""
    path = shutil.copy(another_forest, tmp_path / "italian.pkl")
    sha256 = hashlib.sha256(another_forest.read_bytes()).hexdigest()
    (tmp_path / "model.json").write_text(json.dumps({"sha256": sha256, "encodings": WITH_ITALY}))
    return verify(path)


def sentence(release, what="country Italy", known="France, Germany, Spain"):
    return f"The active model (release {release.pk}) does not know the {what}; it knows {known}."


def drain():
    """Batch by batch until none is claimed any more; what they did, all together."""
    batches = [scorer.rescore_batch()]
    while batches[-1].claimed or batches[-1].swept:
        batches.append(scorer.rescore_batch())
    return sum(it.stored for it in batches), sum(it.refused for it in batches)


def scores_of(customers):
    return list(Customer.objects.filter(pk__in=[it.pk for it in customers]).values_list("churn_risk_score", flat=True))


def test_the_others_are_scored_and_these_are_refused_together(release, monkeypatch):
    monkeypatch.setattr(failures, "isolate", lambda *_: pytest.fail("One by one."))
    italians, others = make_customers(3, geography="Italy"), make_customers(2)
    strange = make_customer(gender="Divers")
    assert drain() == (2, 4)
    assert None not in scores_of(others)
    assert scores_of([*italians, strange]) == [None] * 4
    found = {it.pk: (it.reason, it.word, it.error, it.retry_at) for it in ScoringFailure.objects.all()}
    assert found == {
        **{it.pk: (Exclusion.WORD, "country Italy", sentence(release), None) for it in italians},
        strange.pk: (Exclusion.WORD, "gender Divers", sentence(release, "gender Divers", "Female, Male"), None),
    }


def test_they_are_not_tried_again_and_no_one_else_waits_for_them(release):
    customer = make_customer(geography="Italy")
    drain()
    marks.mark([customer.pk])
    marks.mark_all()
    assert drain() == (0, 0)
    assert Customer.objects.filter(is_excluded(release.pk)).get() == customer
    assert failures.requeue() == failures.requeue([customer.pk]) == 0
    marks.restore_marks()
    assert drain() == (0, 0)
    assert ScoringFailure.objects.get().attempts == 1


def test_the_log_has_a_line_for_a_word_and_none_for_a_customer(release, caplog):
    with caplog.at_level(logging.WARNING, logger="vigilpay.scoring"):
        for _ in range(2):
            make_customers(3, geography="Italy")
            drain()
    assert caplog.messages == [f"{sentence(release)} Its customers wait for a release that does."]


def test_a_release_that_knows_the_word_scores_them_at_once(release, italian):
    customers = make_customers(2, geography="Italy") + make_customers(1)
    assert drain() == (1, 2)
    put_into_service("with Italy", italian)
    assert drain() == (3, 0)
    assert None not in scores_of(customers)
    assert not ScoringFailure.objects.exists()
    causes = ScoreRecord.objects.filter(customer_id=customers[0].pk).values_list("cause", flat=True)
    assert list(causes) == [ScoreRecord.Cause.CREATED]  # nothing had failed
    assert audit().wrong == audit().unrecorded == 0


def test_a_model_is_verified_with_customers_of_its_own_words(italian):
    golden = italian.forest.metadata["golden"]["rows"]
    assert {row[1] for row in golden} == set(WITH_ITALY["geography"])
    assert italian.forest.metadata["encodings"] == WITH_ITALY


def test_a_release_that_does_not_know_a_word_any_more_keeps_the_score_as_that_of_the_former(italian):
    put_into_service("with Italy", italian)
    customer = make_scored(geography="Italy")
    before = ScoreRecord.objects.count()
    newer = put_into_service("without")
    assert drain() == (0, 1)
    customer.refresh_from_db()
    assert (customer.churn_risk_score is not None, customer.is_current()) == (True, False)
    assert (ScoringFailure.objects.get().error, ScoreRecord.objects.count()) == (sentence(newer), before)


def test_a_corrected_word_is_an_edit_and_a_new_one_is_told_anew(release):
    customer, other = make_customers(2, geography="Itly")
    drain()
    edit(customer, geography="Spain")
    edit(other, geography="Italy")
    assert drain() == (1, 1)
    assert ScoringFailure.objects.values_list("pk", "word").get() == (other.pk, "country Italy")


def test_a_retry_that_finds_an_unknown_word_ends_the_retries(release):
    customer = make_customer(geography="Italy")
    make_failure(customer, attempts=1, retry_at=timezone.now())
    marks.restore_marks()
    assert drain() == (0, 1)
    assert ScoringFailure.objects.values_list("reason", "retry_at").get() == (Exclusion.WORD, None)


def test_freshness_tells_groups_and_needs_no_attention(release):
    make_scored()
    make_customers(3, geography="Italy")
    make_customers(1, gender="Divers")
    drain()
    found = freshness()
    assert (found.status, found.dead_letters, found.unknown_word_count) == ("current", 0, 4)
    assert [(it.word, it.customers) for it in found.unknown_words] == [("country Italy", 3), ("gender Divers", 1)]
    assert found.warnings == [
        "3 customers wait for a model that knows the country Italy.",
        "1 customer waits for a model that knows the gender Divers.",
    ]
    assert found.status_reason.endswith("; 4 customers wait for a model that knows the country or gender.")
    assert (found.stale_count, found.held_back_count) == (4, 4)
    assert [it.value for it in of_freshness(found) if it.name == "unknown_word_customers"] == [4]


def test_of_many_words_the_most_frequent_are_named(release):
    for number in range(12):
        make_customers(2 if number == 7 else 1, geography=f"Country {number:02}")
    drain()
    warnings = freshness().warnings
    assert warnings[0] == "2 customers wait for a model that knows the country Country 07."
    assert warnings[-1] == "2 customers wait for a model that knows other countries or genders."
    assert len(warnings) == 11


def said(capsys, *arguments):
    call_command("dead_letters", *arguments)
    return capsys.readouterr().out


def test_dead_letters_lists_words_and_their_customers_on_request(release, capsys):
    customers = make_customers(2, geography="Italy")
    drain()
    assert said(capsys).splitlines() == [
        "No customer is excluded from scoring individually, and no retry is scheduled.",
        f"2 customers are excluded from scoring: release {release.pk} does not know the country Italy.",
    ]
    assert json.loads(said(capsys, "--json")) == []
    listed = json.loads(said(capsys, "--json", "--words"))
    assert {row["customer_id"] for row in listed} == {it.pk for it in customers}
    with pytest.raises(CommandError, match="a retry cannot help customer"):
        call_command("dead_letters", "--requeue", str(customers[0].pk))
    assert said(capsys, "--requeue-all") == "0 customers queued for rescoring.\n"


def test_programs_are_answered_with_the_sentence(client, release):
    customer = make_customer(geography="Italy")
    for address in (f"/customers/analyze/{customer.pk}/", f"/customers/insights/{customer.pk}/"):
        response = client.get(address)
        assert (response.status_code, response.json()) == (422, {"error": sentence(release)})
    assert Customer.objects.get().churn_risk_score is None
    posted = {"content_type": "application/json"}
    many = client.post("/customers/analyze/", json.dumps({"customer_ids": [customer.pk]}), **posted)
    [result] = many.json()["results"]
    assert result == {"customer_id": customer.pk, "error": sentence(release), "status": 422}
    other = make_scored()
    question = {"customer_id": other.pk, "changes": {"geography": "Italy"}}
    answer = client.post("/customers/what-if/", json.dumps(question), **posted)
    assert (answer.status_code, answer.json()) == (422, {"error": sentence(release)})


@pytest.fixture
def client():
    return superuser()


def test_a_rehearsal_leaves_out_who_has_no_score_by_one_of_the_two(release, italian):
    make_scored(geography="Spain")
    make_customers(3, geography="Italy")
    assert rehearse(italian.forest).customers == 1


class TestReleaseOfAModelThatKnowsFewerWords:
    """The active model knows Italy; the candidate does not, and neither knows Peru."""

    @pytest.fixture
    def candidate(self, italian, third_forest):
        put_into_service("Italy", italian)
        make_customers(2, geography="Italy")
        make_customer(geography="Italy", objected_at=timezone.now())
        make_customer(geography="Peru")
        return third_forest

    def run(self, candidate, **options):
        out = StringIO()
        call_command("release_model", candidate, yes=True, stdout=out, **options)
        return out.getvalue()

    def test_a_dry_run_says_how_many_customers_would_wait_even_where_no_score_can_be_compared(self, candidate):
        said = self.run(candidate, dry_run=True)
        assert "2 customers of the country Italy would wait for a model that knows it.\n" in said
        assert "1 customer of the country Peru would wait for a model that knows it.\n" in said
        assert "No stored customer has a score to compare with." in said

    def test_it_is_refused_where_the_move_of_scores_is_limited(self, candidate):
        with pytest.raises(CommandError, match=r"does not know the country Italy, which the active model knows"):
            self.run(candidate, max_mean_shift=1.0)

    def test_a_word_that_neither_knows_does_not_refuse_it(self, candidate):
        Customer.objects.filter(geography="Italy").delete()
        assert "1 customer of the country Peru" in self.run(candidate, max_mean_shift=1.0)

    @pytest.mark.parametrize("is_compared", [False, True])
    def test_the_proposal_shows_it(self, candidate, client, settings, is_compared):
        settings.ONE_PERSON_RELEASES = False
        if is_compared:
            make_customer(geography="Spain")
        self.run(candidate, by="anna")
        proposal = ModelProposal.objects.get()
        assert proposal.shift["unknown"] == {"country Italy": 2, "country Peru": 1}
        page = client.get(reverse("admin:customers_modelproposal_change", args=[proposal.pk])).content.decode()
        assert '<th scope="row">Would wait: country Italy not known</th><td>2 customers</td>' in page
        assert ("Mean churn risk, proposed model" in page) == is_compared
        assert ("would wait: country Italy not known", "2 customers") in describe_shift(proposal.shift)


def test_a_person_s_exclusion_takes_the_place_of_the_word(release):
    make_customer(geography="Italy")
    drain()
    assert give_up(Customer.objects.all(), "Excluded from scoring by clerk") == 1
    assert ScoringFailure.objects.values_list("reason", "word").get() == (Exclusion.PERSON, "")
