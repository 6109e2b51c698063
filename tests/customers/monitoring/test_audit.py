"""Stored scores against scikit-learn: what is wrong is found and told, and repaired only when asked for."""

import logging
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from customers.ml_service import ModelError
from customers.ml_service.files.original import Original
from customers.ml_service.files.packaging import verify
from customers.models import AuditFinding, Customer, ModelFile, ModelRelease, ScoreRecord
from customers.monitoring import audit
from customers.releases.active import active_model, put_into_service
from customers.scoring import marks, scorer
from customers.scoring.claims import CustomerBusyError
from tests.factories import (
    forget_marks,
    lose_all_marks,
    make_customer,
    make_customers,
    make_scored,
    mark_as,
    score_by_a_model_taken_back,
    write_as_scorer,
)

pytestmark = pytest.mark.django_db


def plant(customer, score=0.123456):
    """Store a wrong score as only the scorer may."""
    write_as_scorer(customer, churn_risk_score=score)


def run(*arguments):
    """What a call prints, and how it exits."""
    out = StringIO()
    try:
        call_command("audit_scores", *arguments, stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}", error.returncode
    return out.getvalue(), 0


@pytest.fixture
def wrong():
    """One of five customers carries a wrong score and calls it current."""
    make_customers(4)
    customer = make_customer(surname="Confidential")
    scorer.rescore_batch()
    plant(customer)
    return customer


class TestValueAtRisk:
    """It is a function of balance and score: one that is not is as wrong as a score."""

    def test_a_wrong_one_is_found_told_and_repaired(self, caplog):
        customers = [make_scored() for _ in range(3)]
        write_as_scorer(customers[1], value_at_risk=Decimal("1.23"))
        assert audit.audit() == audit.AuditReport(audited=3, wrong_values=1, left=1)
        assert f"Wrong value at risk of 1 customers, customer {customers[1].pk} among them" in caplog.text
        assert "1 with a wrong value at risk" in run("--all")[0]
        assert audit.audit(mend=True) == audit.AuditReport(audited=3, wrong_values=1)
        assert audit.audit() == audit.AuditReport(audited=3)

    def test_without_a_balance_it_is_nought(self):
        make_scored(balance=Decimal("0.00"))
        assert audit.audit() == audit.AuditReport(audited=1)


class TestFinding:
    def test_on_a_healthy_table_there_is_nothing(self):
        make_customers(20)
        scorer.rescore_batch()
        assert audit.audit() == audit.AuditReport(audited=20)
        assert not AuditFinding.objects.exists()

    def test_a_wrong_score_is_found_told_and_left_alone(self, wrong, caplog):
        expected = ScoreRecord.objects.get(customer_id=wrong.pk).score
        report = audit.audit()
        assert (report.audited, report.wrong, report.left) == (5, 1, 1)
        finding = AuditFinding.objects.get()
        assert (finding.customer_id, finding.version) == (wrong.pk, 1)
        assert finding.stored_score == 0.123456
        assert finding.expected_score == pytest.approx(expected, abs=1e-12)
        assert finding.release == active_model()[1]
        assert finding.repaired_at is None
        wrong.refresh_from_db()
        assert wrong.churn_risk_score == 0.123456
        assert AuditFinding.objects.open().count() == 1
        [line] = [found for found in caplog.records if "Wrong score" in found.message]
        assert line.levelno == logging.ERROR
        for word in (f"customer {wrong.pk},", "0.123456", repr(finding.expected_score), str(finding.release)):
            assert word in line.message
        assert "Confidential" not in caplog.text

    def test_a_difference_in_the_last_digits_is_none(self, wrong):
        right = ScoreRecord.objects.get(customer_id=wrong.pk).score
        plant(wrong, right + 1e-10)
        assert audit.audit().wrong == 0
        plant(wrong, right + 2e-9)
        assert audit.audit().wrong == 1

    def test_again_and_again_it_is_one_finding_and_a_line_each_time(self, wrong, caplog):
        for _ in range(3):
            audit.audit()
        assert AuditFinding.objects.count() == 1
        assert caplog.text.count("Wrong score") == 3

    def test_rows_that_are_stale_claim_nothing(self, wrong):
        Customer.objects.filter(pk=wrong.pk).update(age=77)
        assert audit.audit() == audit.AuditReport(audited=4)

    def test_nor_do_those_that_a_former_model_scored(self, assets, another_forest, wrong):
        put_into_service("", verify(another_forest))
        assert audit.audit().audited == 0

    def test_an_edit_in_the_middle_is_no_false_alarm(self, wrong, monkeypatch):
        others = Customer.objects.exclude(pk=wrong.pk)
        predict = Original.predict_tuples

        def edit_meanwhile(original, rows):
            others.update(age=91)
            scorer.rescore_batch()
            others.update(balance=1)
            return predict(original, rows)

        monkeypatch.setattr(Original, "predict_tuples", edit_meanwhile)
        report = audit.audit()
        assert (report.audited, report.wrong) == (5, 1)
        assert AuditFinding.objects.get().customer_id == wrong.pk

    def test_nor_is_a_model_released_in_the_middle(self, assets, another_forest, monkeypatch):
        make_customers(6)
        scorer.rescore_batch()
        monkeypatch.setattr(audit, "PAGE_ROWS", 3)
        pages = audit.Auditor.pages

        def release_between(auditor, ids):
            for page in pages(auditor, ids):
                yield page
                put_into_service("", verify(another_forest))
                scorer.rescore_batch()

        monkeypatch.setattr(audit.Auditor, "pages", release_between)
        assert audit.audit().wrong == 0

    def test_it_does_not_ask_the_compiled_engine(self, monkeypatch):
        """Where the engine itself is wrong, comparing it with itself would find nothing."""
        from customers.ml_service.forest import engine

        monkeypatch.setattr(engine, "score_rows", lambda _flat, matrix: matrix[:, 0] * 0 + 0.5)
        make_customers(2)
        scorer.rescore_batch()
        assert audit.audit(mend=True).left == 2
        assert AuditFinding.objects.open().count() == 2

    def test_a_score_without_a_record_in_the_history_is_counted(self, caplog):
        customers = make_customers(3)
        scorer.rescore_batch()
        ScoreRecord.objects.filter(customer_id=customers[0].pk).delete()
        assert audit.audit() == audit.AuditReport(audited=3, unrecorded=1, left=1)
        assert f"customer {customers[0].pk} among them" in caplog.text

    def test_it_goes_through_the_table_page_by_page(self, monkeypatch):
        customers = make_customers(7)
        scorer.rescore_batch()
        plant(customers[6])
        monkeypatch.setattr(audit, "PAGE_ROWS", 3)
        told = []
        report = audit.audit(progress=lambda what, rows: told.append((what, rows)))
        assert (report.audited, report.wrong) == (7, 1)
        assert told == [("audited", 3), ("audited", 6), ("audited", 7)]

    def test_of_those_asked_for_only(self, wrong):
        others = Customer.objects.exclude(pk=wrong.pk).values_list("pk", flat=True)
        assert audit.audit([*others, 4711]) == audit.AuditReport(audited=4)
        assert audit.audit([wrong.pk]).wrong == 1

    def test_without_a_usable_model_there_is_no_audit(self, assets, wrong):
        (assets / "model.pkl").unlink()
        ModelFile.objects.all().delete()
        with pytest.raises(ModelError):
            audit.audit()


class TestRepair:
    def test_the_wrong_score_is_scored_anew_and_the_finding_closed(self, wrong):
        audit.audit()
        assert audit.audit(mend=True) == audit.AuditReport(audited=5, wrong=1, unrecorded=1, left=0)
        wrong.refresh_from_db()
        assert wrong.churn_risk_score == ScoreRecord.objects.filter(customer_id=wrong.pk).latest("id").score != 0.123456
        assert AuditFinding.objects.get().repaired_at is not None
        assert AuditFinding.objects.open().count() == 0
        assert audit.audit() == audit.AuditReport(audited=5)

    def test_right_scores_are_left_alone(self, wrong):
        audit.audit(mend=True)
        assert ScoreRecord.objects.count() == 6

    def test_the_same_customer_can_be_found_once_more_later(self, wrong):
        audit.audit(mend=True)
        plant(wrong, 0.9)
        audit.audit()
        assert AuditFinding.objects.count() == 2
        assert AuditFinding.objects.open().count() == 1

    def test_one_that_cannot_be_scored_now_is_left_open(self, wrong, monkeypatch):
        def busy(_customer_id, cause):
            raise CustomerBusyError("Another session is editing this customer.")

        monkeypatch.setattr(scorer, "analyze", busy)
        assert audit.audit(mend=True).left == 1
        assert AuditFinding.objects.open().count() == 1

    def test_one_that_was_deleted_meanwhile_is_settled(self, wrong, monkeypatch):
        def deleted(customer_id, cause):
            Customer.objects.filter(pk=customer_id).delete()
            raise Customer.DoesNotExist

        monkeypatch.setattr(scorer, "analyze", deleted)
        assert audit.audit(mend=True).left == 0
        assert AuditFinding.objects.open().count() == 0


class TestSettledByOthers:
    """A finding is about a score that is stored: when that is gone, however, it is no alarm any more."""

    @pytest.mark.parametrize("what", ["edit", "delete", "analyze"])
    def test_what_replaces_the_score_ends_the_alarm(self, wrong, what):
        audit.audit()
        if what == "edit":
            Customer.objects.filter(pk=wrong.pk).update(age=60)
        elif what == "delete":
            wrong.delete()
        else:
            scorer.analyze(wrong.pk)
        assert AuditFinding.objects.open().count() == 0
        audit.audit()
        assert AuditFinding.objects.get().repaired_at is not None

    def test_nothing_but_the_name_edited_ends_nothing(self, wrong):
        audit.audit()
        Customer.objects.filter(pk=wrong.pk).update(surname="Married")
        assert AuditFinding.objects.open().count() == 1


class TestUnmarked:
    """Stale customers that no mark covers."""

    def mark(self, *arrays):
        forget_marks()
        mark_as(marks.LARGE, *arrays)

    def unmarked(self):
        return marks.count_unmarked(ModelRelease.objects.active())

    def test_a_stale_customer_outside_all_marks_is_counted(self):
        active_model()
        for customer_id in (900_001, 900_002, 900_003):
            make_customer(customer_id=customer_id)
        self.mark([900_001], [900_001, 900_002])
        assert self.unmarked() == 1

    def test_a_sweep_covers_those_who_come_after_its_place(self):
        active_model()
        first, second, _third = make_customers(3)
        self.mark()
        mark_as(marks.SWEEP, [second.pk])
        assert self.unmarked() == 1
        mark_as(marks.SWEEP, [first.pk])
        assert self.unmarked() == 0

    def test_where_marks_were_lost_the_next_drain_looks_at_all(self):
        active_model()
        make_customers(3)
        lose_all_marks()
        assert self.unmarked() == 0

    def test_customers_of_a_former_model_need_a_mark_as_well(self, assets, another_forest):
        make_customers(2)
        scorer.rescore_batch()
        put_into_service("", verify(another_forest))
        self.mark()
        assert self.unmarked() == 2

    def test_so_do_those_of_a_model_that_was_taken_back(self):
        score_by_a_model_taken_back(make_scored())
        self.mark()
        assert self.unmarked() == 1

    def test_current_ones_need_none(self):
        make_scored()
        self.mark()
        assert self.unmarked() == 0

    def test_it_is_told_and_makes_the_command_fail(self, caplog):
        make_customer()
        active_model()
        self.mark()
        said, code = run("--all")
        assert "1 customers with a score pending but not queued" in said
        assert code == 1
        assert "covered by no mark" in caplog.text


class TestCommand:
    def test_a_healthy_table_is_success(self):
        make_customers(3)
        scorer.rescore_batch()
        assert run("--all") == (
            "3 current scores audited: 0 wrong, 0 not in the history, 0 with a wrong value at risk; "
            "0 customers with a score pending but not queued\n",
            0,
        )
        assert run("--sample", "2")[0].startswith("2 current scores audited")

    def test_a_wrong_score_is_not(self, wrong):
        said, code = run("--all")
        assert "5 current scores audited: 1 wrong" in said
        assert "1 open finding in total" in said
        assert code == 1

    def test_unless_it_is_repaired(self, wrong):
        said, code = run("--all", "--repair")
        assert "1 wrong, 1 not in the history, 0 with a wrong value at risk, all repaired" in said
        assert code == 0
        assert run("--all")[1] == 0

    def test_a_sample_of_a_small_table_is_all_of_it(self, wrong):
        assert run()[1] == 1

    def test_without_a_model_it_says_why(self, assets):
        (assets / "model.pkl").unlink()
        said, code = run()
        assert "Nothing was audited" in said
        assert code == 1
