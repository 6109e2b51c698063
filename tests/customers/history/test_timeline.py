"""The history of a customer: scores, and between two of them who changed what, wherever versions are kept."""

import json
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from customers.history.timeline import Change, editor_names, format_editor, is_key, read_history
from customers.models import Customer, ModelRelease, ScoreRecord, UnscoredVersion
from customers.scoring import scorer
from tests.factories import edit, make_customer, make_scored, rescore

pytestmark = pytest.mark.django_db


def versions(entry):
    return [edit.version for edit in entry.edits]


def changes(entry):
    return [edit.changes for edit in entry.edits]


class TestOneLife:
    def test_it_begins_with_the_first_score(self):
        customer = make_scored()
        (entry,) = read_history(customer.pk)
        assert versions(entry) == [1]
        assert entry.edits[0].changes == ()
        assert entry.edits[0].edited_by == "django"
        assert (entry.score.score, entry.score.version) == (customer.churn_risk_score, 1)
        assert entry.score.release == ModelRelease.objects.active().pk

    def test_an_edit_tells_what_changed_from_what_to_what(self):
        customer = make_scored(age=40)
        edit(customer, age=41, balance=Decimal("12.50"), is_active_member=True)
        rescore(customer)
        entry = read_history(customer.pk)[-1]
        assert set(entry.edits[0].changes) == {
            Change("age", 40, 41),
            Change("balance", Decimal("50000.00"), Decimal("12.50")),
            Change("is_active_member", False, True),
        }
        assert (entry.score.cause, entry.score.version) == ("edited", 2)

    def test_a_score_tells_what_its_reasons_gained_and_lost(self):
        customer = make_scored(age=30)
        edit(customer, age=58)
        rescore(customer)
        first, second = read_history(customer.pk)
        assert first.moves == ()
        assert "age" in {move.part for move in second.moves}
        assert not {"geography", "gender"} & {move.part for move in second.moves}
        gained = 100 * (second.score.score - first.score.score)
        assert sum(move.points for move in second.moves) == pytest.approx(gained, abs=0.5)  # small ones are left out

    def test_where_one_of_two_scores_has_no_reasons_nothing_is_said_of_their_moves(self):
        customer = make_scored()
        ScoreRecord.objects.update(contributions=None)
        edit(customer, age=58)
        rescore(customer)
        assert [entry.moves for entry in read_history(customer.pk)] == [(), ()]

    def test_edits_that_came_faster_than_the_scorer_are_told_one_by_one(self):
        customer = make_scored(age=40)
        for age in (41, 42, 43):
            edit(customer, age=age)
        rescore(customer)
        entry = read_history(customer.pk)[-1]
        assert versions(entry) == [2, 3, 4]
        assert changes(entry) == [(Change("age", a, a + 1),) for a in (40, 41, 42)]
        times = [edit.edited_at for edit in entry.edits]
        assert times == sorted(times)
        assert times[-1] <= entry.score.scored_at

    def test_edits_that_still_wait_come_last_without_a_score(self):
        customer = make_scored(age=40)
        edit(customer, age=41)
        edit(customer, tenure=9)
        entry = read_history(customer.pk)[-1]
        assert entry.score is None
        assert changes(entry) == [(Change("age", 40, 41),), (Change("tenure", 3, 9),)]

    def test_a_new_customer_who_was_never_scored_has_a_history_too(self):
        customer = make_customer()
        (entry,) = read_history(customer.pk)
        assert (versions(entry), entry.score) == ([1], None)

    def test_a_score_without_an_edit_has_none(self):
        customer = make_scored()
        scorer.analyze(customer.pk)
        first, second = read_history(customer.pk)
        assert (second.edits, second.score.cause) == ((), "analyze")
        assert first.score.scored_at <= second.score.scored_at

    def test_there_and_back_again_is_two_edits(self):
        customer = make_scored(age=40)
        edit(customer, age=90)
        edit(customer, age=40)
        rescore(customer)
        assert changes(read_history(customer.pk)[-1]) == [(Change("age", 40, 90),), (Change("age", 90, 40),)]

    def test_an_unknown_customer_has_no_history(self):
        make_scored()
        assert read_history(987_654_321) == []

    def test_others_are_not_in_it(self):
        one, other = make_scored(), make_scored()
        edit(other, age=77)
        rescore(other)
        assert len(read_history(one.pk)) == 1

    def test_it_is_one_statement(self, django_assert_num_queries):
        customer = make_scored()
        with django_assert_num_queries(1):
            read_history(customer.pk)


class TestLives:
    def test_who_left_the_table_and_came_back_begins_anew(self):
        customer = make_scored(customer_id=7_000_001, age=40)
        edit(customer, age=41)
        rescore(customer)
        customer.delete()
        make_scored(customer_id=7_000_001, age=66)
        told = read_history(7_000_001)
        assert [versions(entry) for entry in told] == [[1], [2], [1]]
        assert [edit.returned for entry in told for edit in entry.edits] == [False, False, True]
        assert changes(told[-1]) == [(Change("age", 41, 66),)]  # against what was known last
        assert told[-1].score.previous_score == told[-2].score.score
        assert told[-1].moves

    def test_versions_of_two_lives_do_not_mix(self):
        for age in (40, 60):
            Customer.objects.filter(pk=7_000_002).delete()
            customer = make_customer(customer_id=7_000_002, age=age)
            edit(customer, age=age + 1)
            edit(customer, age=age + 2)
            rescore(customer)
            edit(customer, age=age + 3)
        told = read_history(7_000_002)
        # The last version of the first life was in its row alone: it is kept when the row goes.
        assert [versions(entry) for entry in told] == [[1, 2, 3], [4], [1, 2, 3], [4]]
        assert [bool(entry.score) for entry in told] == [True, False, True, False]
        scored = [entry for entry in told if entry.score]
        assert [changes(entry)[1:] for entry in scored] == [
            [(Change("age", a, a + 1),), (Change("age", a + 1, a + 2),)] for a in (40, 60)
        ]

    def test_an_edit_that_waited_for_a_score_comes_after_it(self):
        """Its statement began before that score was written: by time alone it would stand before it."""
        customer = make_scored(age=40)
        edit(customer, age=41)
        edit(customer, age=42)
        record = ScoreRecord.objects.get()
        UnscoredVersion.objects.update(edited_at=record.stale_since)
        rescore(customer)
        assert [versions(entry) for entry in read_history(customer.pk)] == [[1], [2, 3]]


class TestOldAndLong:
    def test_records_from_before_the_values_were_kept_tell_no_changes(self):
        customer = make_scored(age=40)
        ScoreRecord.objects.update(age=None, tenure=None, geography="", edited_by="", cause="")
        edit(customer, age=41, credit_score=500)
        rescore(customer)
        first, second = read_history(customer.pk)
        assert second.edits[0].changes == (Change("credit_score", 600, 500),)
        assert (first.score.cause, first.edits[0].edited_by) == ("", "")

    def test_only_the_newest_scores_are_told_and_the_first_of_them_in_full(self):
        customer = make_scored(age=40)
        for age in range(41, 46):
            edit(customer, age=age, tenure=1)
            edit(customer, age=age, tenure=2)
            rescore(customer)
        told = read_history(customer.pk, scores=2)
        assert [versions(entry) for entry in told] == [[8, 9], [10, 11]]
        assert changes(told[0])[0] == (Change("age", 43, 44), Change("tenure", 2, 1))

    def test_what_waits_is_told_beside_them(self):
        customer = make_scored(age=40)
        scorer.analyze(customer.pk)
        edit(customer, age=41)
        assert [bool(entry.score) for entry in read_history(customer.pk, scores=1)] == [True, False]

    def test_after_the_first_record_is_pruned_the_rest_is_still_told(self):
        customer = make_scored(age=40)
        for age in (41, 42):
            edit(customer, age=age)
            rescore(customer)
        ScoreRecord.objects.filter(version=1).delete()
        told = read_history(customer.pk)
        assert [versions(entry) for entry in told] == [[2], [3]]
        assert changes(told[0]) == [()]
        assert changes(told[1]) == [(Change("age", 41, 42),)]


class TestEditors:
    def test_a_user_of_the_admin_is_named(self):
        ann = get_user_model().objects.create_superuser("ann")
        customer = make_scored(age=40)
        client = Client()
        client.force_login(ann)
        fields = {**{f.name: getattr(customer, f.name) for f in Customer._meta.fields if f.editable}, "age": 71}
        fields = {name: value for name, value in fields.items() if value is not False and value is not None}
        assert client.post(f"/admin/customers/customer/{customer.pk}/change/", fields).status_code == 302
        entry = read_history(customer.pk)[-1]
        assert entry.edits[0].edited_by == f"django:{ann.pk}"
        assert editor_names([entry]) == {f"django:{ann.pk}": "ann"}

    def test_a_role_of_sql_is_called_as_it_stands(self):
        customer = make_scored()
        with connection.cursor() as cursor:
            # A client of its own would be its own session; this is what such a one leaves out.
            cursor.execute("SELECT set_config('vigilpay.editor', '', true)")
            cursor.execute("/* sql */ UPDATE customers_customer SET age = 50 WHERE customer_id = %s", [customer.pk])
            cursor.execute("SELECT session_user")
            (role,) = cursor.fetchone()
        entry = read_history(customer.pk)[-1]
        assert editor_names([entry]) == {f"sql:{role}": f"sql:{role}"}

    @pytest.mark.parametrize("editor", ["django:987654", "django:not-a-key", "django:", ""])
    def test_an_editor_who_is_gone_or_unknown_still_has_a_name(self, editor):
        customer = make_scored()
        ScoreRecord.objects.update(edited_by=editor)
        assert editor_names(read_history(customer.pk)) == {editor: editor or "unknown"}

    def test_keys_that_no_user_can_have(self):
        assert is_key("12")
        assert not is_key("not-a-key")


class TestCommand:
    def test_the_table_tells_it_in_order(self, capsys):
        customer = make_customer(age=40)
        rescore(customer)
        edit(customer, age=60)
        rescore(customer)
        edit(customer, tenure=9)
        call_command("history", customer.pk)
        lines = capsys.readouterr().out.splitlines()[1:]
        told = [line.split(maxsplit=2)[2] for line in lines[:-1]]
        assert told[0].split()[-1] == "created"
        assert ", created, release" in told[1]
        assert told[2].endswith("age 40 -> 60")
        assert ", edited, release" in told[3]
        assert "points)" in told[3]
        assert "age " in lines[4]  # whole: a line of moves has no columns before it
        assert told[4].endswith("points")
        assert told[5].endswith("tenure 3 -> 9")

    def test_the_first_score_of_the_table_too_says_what_it_was_before(self, capsys):
        customer = make_scored(age=40)
        edit(customer, age=60)
        rescore(customer)
        call_command("history", customer.pk, "--scores", "1")
        assert "points), edited, release" in capsys.readouterr().out

    def test_what_waits_is_said_to_wait(self, capsys):
        call_command("history", make_customer().pk)
        assert capsys.readouterr().out.splitlines()[-1].strip() == "not scored"

    def test_as_json(self, capsys):
        customer = make_scored()
        edit(customer, balance=Decimal("1.10"))
        rescore(customer)
        call_command("history", customer.pk, "--json", "--scores", "1")
        (entry,) = json.loads(capsys.readouterr().out)
        assert entry["edits"][0]["changes"] == [{"field": "balance", "before": "50000.00", "after": "1.10"}]
        assert entry["score"]["version"] == 2

    def test_an_unknown_customer_is_an_error_in_words(self):
        with pytest.raises(CommandError, match="There is no history of a customer 5000000"):
            call_command("history", 5_000_000)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ann", "ann"),
        ("sql:loader", "database role loader"),
        ("django", "a program"),
        ("django:7", "deleted user 7"),
        ("token:4", "service token 4"),
        ("unknown", "unknown"),
    ],
)
def test_staff_read_editors_in_words(name, words):
    assert format_editor(name) == words
