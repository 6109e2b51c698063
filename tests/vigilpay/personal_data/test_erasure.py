"""An erased customer is nowhere, and all others are where they were."""

import io
import re
import threading

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django_q.models import Task

from customers import turns
from customers.history.timeline import read_history
from customers.import_export.uploads import steps, storage
from customers.import_export.uploads.worker import TURN
from customers.models import (
    LARGEST_CUSTOMER_ID,
    AuditFinding,
    Contact,
    Customer,
    Departure,
    Outcome,
    RescoreRequest,
    ScoreRecord,
    ScoringFailure,
    ShadowRun,
    ShadowScore,
    ShadowWait,
    StaleMark,
    UnscoredVersion,
    WorklistItem,
)
from customers.models.imports import ImportBatch, ImportPiece
from customers.releases.active import active_model
from customers.scoring import marks, scorer
from customers.scoring.writing import store
from events.models import Alert, Delivery, Overview
from tests.customers.import_export.csv_files.texts import HEADER, row
from tests.factories import make_customer, make_scored, mark_as
from tests.others import await_that, meanwhile, outsider, waiting_for_locks
from tests.vigilpay.personal_data.everywhere import places_of, tables_with
from tests.vigilpay.personal_data.traces import HEADER as HEADER_OF_UPLOADS
from tests.vigilpay.personal_data.traces import ID, OTHER_ID, ROW, SURNAME, make_everything, upload
from vigilpay.personal_data import erasure, statements
from vigilpay.personal_data.erasure import NotErasedError, erase
from vigilpay.personal_data.person import Person, keyed_hash
from vigilpay.personal_data.uploads import rows_about
from vigilpay.trail.models import TrailEntry

NUMBER = rf"(?<!\d){ID}(?!\d)"
# Tables that may keep the id alone: of a deletion, and so that no other person gets it.
MAY_KEEP_THE_ID = {"customers_scorechange", "customers_lastgivenid"}


@pytest.fixture
def everything(db):
    return make_everything()


class TestNowhere:
    def test_the_search_finds_the_customer_in_all_places_before(self, everything):
        assert set(places_of(NUMBER)) >= {
            *("customers_customer", "customers_scorerecord", "customers_unscoredversion", "customers_scoringfailure"),
            *("customers_auditfinding", "customers_outcome", "customers_rescorerequest", "customers_stalemark"),
            *("customers_contact", "customers_worklistitem", "customers_departure"),
            *("customers_shadowscore", "customers_shadowwait", "customers_shadowrun"),
            *("customers_importbatch", "customers_importpiece", "events_alert", "events_overview"),
            *("django_admin_log", "django_q_task", "django_session", "vigilpay_trailentry"),
        }
        assert set(places_of(SURNAME)) >= {
            *("customers_customer", "customers_importbatch", "customers_importpiece", "events_alert", "django_q_task"),
        }

    def test_and_nowhere_after(self, everything):
        erase(ID, "command:erase_customer by alice")
        assert places_of(SURNAME).keys() - {"customers_importpiece"} == set()
        # Of a namesake, whose row has an id of its own.
        assert all(str(OTHER_ID) in text for text in places_of(SURNAME).get("customers_importpiece", []))
        assert places_of(NUMBER).keys() - MAY_KEEP_THE_ID == set()

    def test_every_table_with_a_column_for_customers_is_in_the_list(self, everything):
        listed = " ".join([*statements.DELETED.values(), *(it["table"] for it in statements.TAKEN_OUT.values())])
        tables = tables_with("customer_id") | tables_with("customer_ids")
        assert tables
        assert {it for it in tables - MAY_KEEP_THE_ID if not re.search(rf"\b{it}\b", listed)} == set()


@pytest.mark.django_db
class TestOthers:
    def test_all_others_are_where_they_were(self, everything):
        _, other = everything
        erased = erase(ID, "command:erase_customer by alice")
        assert Customer.objects.get() == other
        for model in (
            ScoreRecord,
            UnscoredVersion,
            ScoringFailure,
            AuditFinding,
            Outcome,
            Alert,
            Contact,
            WorklistItem,
            ShadowScore,
        ):
            assert set(model.objects.values_list("customer_id", flat=True)) == {OTHER_ID}, model
        assert list(RescoreRequest.objects.values_list("customer_ids", flat=True)) == [[OTHER_ID]]
        [(ids, arrived_ats)] = Departure.objects.values_list("customer_ids", "arrived_ats")
        assert (ids, len(arrived_ats)) == ([OTHER_ID], 1)
        assert ShadowRun.objects.get().movers == ShadowWait.objects.get().customer_ids == [OTHER_ID]
        assert [OTHER_ID] in list(StaleMark.objects.filter(kind=marks.LARGE).values_list("ids", flat=True))
        assert [ID + 1] in list(StaleMark.objects.filter(kind=marks.SWEEP).values_list("ids", flat=True))
        assert StaleMark.objects.filter(kind=marks.INTACT).count() == 1
        [window] = Overview.objects.get().figures["movers"]
        assert [[mover["customer_id"] for mover in window[side]] for side in ("risers", "fallers")] == [[OTHER_ID]] * 2
        assert erased["customers"] == 1
        assert erased["rescore requests"] == 2

    def test_a_message_that_waits_reports_the_alerts_that_are_left(self, everything):
        erase(ID, "me")
        delivery = Delivery.objects.get()
        assert delivery.alerts == Alert.objects.filter(rule=delivery.rule, batch=delivery.batch).count() == 1
        erase(OTHER_ID, "me")
        assert not Delivery.objects.exists()

    def test_uploads_that_hold_the_customer_are_cancelled_and_no_other(self, everything):
        erase(ID, "me")
        states = dict(ImportBatch.objects.values_list("file_name", "state"))
        cancelled, checked = ImportBatch.State.CANCELLED, ImportBatch.State.CHECKED
        assert states == {
            "customers.csv": cancelled,
            "packed.csv.gz": cancelled,
            "innocent.csv": checked,
            "stopped.csv": ImportBatch.State.STOPPED,
            "rejects.csv": cancelled,
        }
        stopped = ImportBatch.objects.get(file_name="stopped.csv")
        assert stopped.message == "PostgreSQL said: no loan for an erased customer, an erased customer"
        batch = ImportBatch.objects.get(file_name="rejects.csv")
        assert "erased" in batch.message
        rejects = b"".join(storage.pieces(batch, ImportPiece.Of.REJECTS)).decode().splitlines()
        assert len(rejects) == 2  # the header, and the namesake
        assert f"{OTHER_ID},{SURNAME}" in rejects[1]
        assert ImportBatch.objects.get(file_name="customers.csv").changed_since_check["ids"] == [OTHER_ID]

    def test_sessions_and_jobs_that_do_not_name_the_customer_stay(self, everything):
        erase(ID, "me")
        assert [session.get_decoded() for session in Session.objects.all()] == [{"else": "of no customer"}]
        assert not Task.objects.exists()

    def test_the_admins_log_keeps_who_did_what(self, everything):
        entries = LogEntry.objects.count()
        erase(ID, "me")
        assert LogEntry.objects.count() == entries
        shown = {(entry.object_repr, entry.change_message) for entry in LogEntry.objects.all()}
        assert ("an erased customer", "") in shown
        assert any(message == f"Queued for rescoring: {OTHER_ID}, one erased." for _, message in shown) or any(
            message == f"Queued for rescoring: one erased, {OTHER_ID}." for _, message in shown
        )
        assert any(re.fullmatch(r"alert \d+ on an erased customer", named) for named, _ in shown)


class TestEntry:
    def test_the_erasure_is_noted_with_actor_time_and_a_keyed_hash(self, everything, caplog):
        readings = TrailEntry.objects.about(ID).count()
        erase(ID, "command:erase_customer by alice")
        entry = TrailEntry.objects.latest("id")
        assert (entry.actor, entry.purpose, entry.customer_ids) == ("command:erase_customer by alice", "erase", [])
        assert entry.erased == [keyed_hash(ID)]
        # Who has read stays, without the id.
        assert readings > 3
        assert TrailEntry.objects.filter(erased__contains=[keyed_hash(ID)]).count() == readings + 1
        logged = "".join(record.getMessage() for record in caplog.records)
        assert not re.search(NUMBER, logged)
        assert SURNAME not in logged

    def test_the_hash_is_of_the_key(self, settings):
        settings.SECRET_KEY = "one" * 20
        first = keyed_hash(ID)
        settings.SECRET_KEY = "two" * 20
        assert keyed_hash(ID) != first
        assert len(first) == 64

    def test_what_is_not_known_is_not_noted(self, db):
        assert erase(ID, "me") == {}
        assert not TrailEntry.objects.exists()

    def test_a_second_time_finds_nothing(self, everything):
        assert erase(ID, "me")
        assert erase(ID, "me") == {}

    def test_a_customer_who_has_left_the_table_is_erased_from_the_history(self, everything):
        Customer.objects.filter(pk=ID).delete()
        erase(ID, "me")
        assert places_of(NUMBER).keys() - MAY_KEEP_THE_ID == set()


@pytest.mark.django_db
def test_the_same_id_stored_later_is_a_customer_without_a_past():
    make_scored(customer_id=ID, surname=SURNAME)
    erase(ID, "me")
    make_scored(customer_id=ID, surname="New")
    record = ScoreRecord.objects.get()
    assert (record.cause, record.previous_score) == ("analyze", None)
    [entry] = read_history(ID)
    assert [edit.returned for edit in entry.edits] == [False]
    assert not TrailEntry.objects.about(ID).exists()


@pytest.mark.django_db(transaction=True)
class TestMeanwhile:
    def test_a_drain_that_is_about_to_store_a_score_leaves_no_record(self):
        """It has claimed the customer, so the erasure waits for it, and takes what it has stored."""
        make_customer(customer_id=ID, surname=SURNAME)
        claimed = threading.Event()

        def slow_store(cursor, claim, answers, release):
            claimed.set()
            await_that(waiting_for_locks, "the erasure waits for the drain")
            return store(cursor, claim, answers, release)

        def drain():
            active_model()
            scorer.batch_of(10, slow_store)

        with meanwhile(drain):
            assert claimed.wait(20)
            erased = erase(ID, "me")
        assert erased["scores"] == 1
        assert not ScoreRecord.objects.exists()
        assert places_of(NUMBER).keys() - MAY_KEEP_THE_ID == set()

    def test_a_drain_that_finds_the_customer_held_scores_nothing_then_or_later(self, monkeypatch):
        make_customer(customer_id=ID, surname=SURNAME)
        hold = erasure.hold

        def hold_while_a_drain_runs(customer_id):
            surname = hold(customer_id)
            with meanwhile(lambda: scorer.rescore_batch(10)):
                pass
            assert StaleMark.objects.filter(ids=[ID]).exists()  # marked again, for later
            return surname

        monkeypatch.setattr(erasure, "hold", hold_while_a_drain_runs)
        erase(ID, "me")
        assert scorer.rescore_batch(10).stored == 0
        assert places_of(NUMBER).keys() - MAY_KEEP_THE_ID == set()

    def test_what_a_session_with_an_older_snapshot_stores_meanwhile_goes_as_well(self, monkeypatch):
        make_scored(customer_id=ID, surname=SURNAME)
        forget = erasure.forget_traces

        def forget_while_staff_ask(person):
            with outsider() as staff:
                staff.execute("INSERT INTO customers_rescorerequest (customer_ids) VALUES (ARRAY[%s])", [ID])
            return forget(person)

        monkeypatch.setattr(erasure, "forget_traces", forget_while_staff_ask)
        erase(ID, "me")
        assert not RescoreRequest.objects.exists()

    def test_an_open_edit_is_waited_for_and_then_nothing_is_erased(self, monkeypatch):
        make_scored(customer_id=ID, surname=SURNAME)
        monkeypatch.setattr(erasure, "PATIENCE", "50ms")
        with outsider(autocommit=False) as editor:
            editor.execute("UPDATE customers_customer SET age = 44 WHERE customer_id = %s", [ID])
            with pytest.raises(NotErasedError, match="Another session holds this customer; nothing was erased"):
                erase(ID, "me")
            editor.rollback()
        assert ScoreRecord.objects.count() == 1
        assert not TrailEntry.objects.exists()

    def test_while_an_import_runs_nothing_is_erased(self):
        make_scored(customer_id=ID, surname=SURNAME)
        with outsider() as importer:
            importer.execute(turns.HOLD, [TURN])
            with pytest.raises(NotErasedError, match="An import is running"):
                erase(ID, "me")
        assert Customer.objects.exists()


@pytest.mark.django_db
class TestCommand:
    def test_it_asks_for_the_id(self, monkeypatch, capsys):
        make_scored(customer_id=ID)
        monkeypatch.setattr("builtins.input", lambda question: "no")
        with pytest.raises(CommandError, match="Nothing was erased"):
            call_command("erase_customer", ID)
        assert Customer.objects.exists()
        monkeypatch.setattr("builtins.input", lambda question: f" {ID}")
        call_command("erase_customer", ID)
        assert not Customer.objects.exists()
        assert "1 customers, 1 scores" in capsys.readouterr().out

    def test_without_a_terminal_it_says_how_to_answer(self, monkeypatch):
        make_scored(customer_id=ID)
        monkeypatch.setattr("sys.stdin", io.StringIO())
        with pytest.raises(CommandError, match=r"Nothing was erased: .* Without a terminal, use --yes"):
            call_command("erase_customer", str(ID))
        assert Customer.objects.exists()

    def test_it_does_not_ask_where_it_is_told_so(self, capsys):
        make_scored(customer_id=ID)
        call_command("erase_customer", ID, "--yes")
        call_command("erase_customer", ID, "--yes")
        assert f"Nothing is stored about customer {ID}." in capsys.readouterr().out
        assert TrailEntry.objects.get().actor.startswith("command:erase_customer by ")

    def test_it_says_why_nothing_was_erased(self, monkeypatch):
        def refuse():
            raise NotErasedError("An import is running; nothing was erased.")

        monkeypatch.setattr(erasure, "hold_imports", refuse)
        with pytest.raises(CommandError, match="An import is running"):
            call_command("erase_customer", make_scored().pk, "--yes")


@pytest.mark.django_db
def test_the_largest_id_is_erased_as_any_other():
    make_scored(customer_id=LARGEST_CUSTOMER_ID, surname=SURNAME)
    mark_as(marks.SWEEP, [LARGEST_CUSTOMER_ID])
    erase(LARGEST_CUSTOMER_ID, "me")
    assert set(places_of(str(LARGEST_CUSTOMER_ID))) <= {"customers_stalemark", *MAY_KEEP_THE_ID}
    with pytest.raises(CommandError, match="Nothing is stored about customer"):
        call_command("subject_report", LARGEST_CUSTOMER_ID)


@pytest.mark.django_db
def test_small_ids_do_not_take_others_with_them():
    """5 is an id, an age, a number of customers, and the beginning of other ids."""
    five, fifty = make_scored(customer_id=5, surname="May"), make_scored(customer_id=55, surname="May")
    clerk = get_user_model().objects.create_user("clerk", is_staff=True)
    about = {"user_id": clerk.pk, "content_type": ContentType.objects.get_for_model(Customer), "action_flag": 2}
    LogEntry.objects.create(object_repr="5 customers", change_message="Exported: 5 customers.", **about)
    LogEntry.objects.create(object_id="55", object_repr="customer 55", change_message="", **about)
    long = f"{'x' * 189} customer 5"  # as much as the column holds
    LogEntry.objects.create(object_id="7", object_repr=long, change_message="", **about)
    erase(five.pk, "me")
    assert Customer.objects.get() == fifty
    assert ScoreRecord.objects.get().customer_id == 55
    shown = set(LogEntry.objects.values_list("object_id", "object_repr", "change_message"))
    assert shown == {
        (None, "5 customers", "Exported: 5 customers."),
        ("55", "customer 55", ""),
        ("7", f"{'x' * 189} an erased ", ""),
    }


def upload_by_external_id(*external_ids):
    """A file that waits, with a row for each."""
    lines = [[*HEADER[1:], "Kunde"], *([*row(1)[1:], external_id] for external_id in external_ids)]
    batch = ImportBatch(file_name="a.csv", conventions={"mapping": {"Kunde": "external_id"}})
    steps.begin(batch, ["\n".join(map(",".join, lines)).replace("CustomerId", "Nr").encode()])
    return batch


@pytest.mark.django_db
class TestExternalId:
    def test_a_file_that_knows_the_customer_by_it_alone_is_cancelled(self):
        make_customer(customer_id=ID, external_id="A-1")
        upload_by_external_id("A-2", "A-1")
        assert len([*rows_about(Person(ID, "", "A-1"))]) == 1
        assert erase(ID, "command:erase_customer by alice")["uploads, cancelled"] == 1

    def test_of_one_who_has_left_the_table_the_command_says_that_it_is_not_known_and_takes_it(self, capsys):
        make_scored(customer_id=ID, external_id="A-1").delete()
        batch = upload_by_external_id("A-2", "A-1")
        for _ in range(2):  # the second time nothing else is left of the customer
            call_command("erase_customer", ID, "--yes")
            assert (
                "No external ID of this customer is known, and these uploads name customers by theirs: a.csv. "
                "If the customer has one, run this again with --external-id TEXT."
            ) in capsys.readouterr().out
        call_command("erase_customer", ID, "--yes", "--external-id", " A-1 ")
        assert capsys.readouterr().out.startswith(f"Customer {ID} erased: 1 uploads, cancelled.")
        batch.refresh_from_db()
        assert batch.state == ImportBatch.State.CANCELLED

    def test_a_file_whose_rows_are_of_others_stays_and_is_not_mentioned_once_it_is_known(self, capsys):
        make_customer(customer_id=ID, external_id="A-1")
        batch = upload_by_external_id("A-2")
        call_command("erase_customer", ID, "--yes")
        call_command("erase_customer", ID, "--yes", "--external-id", "A-1")
        assert "No external ID" not in capsys.readouterr().out
        batch.refresh_from_db()
        assert batch.state == ImportBatch.State.UPLOADED

    def test_rejected_rows_that_name_customers_by_it_are_mentioned_too(self, capsys):
        make_scored(customer_id=ID).delete()
        upload(f"ExternalId,{HEADER_OF_UPLOADS}A-1,{ROW.format('', SURNAME, 555)}A-2,{ROW.format('', 'Else', 40)}")
        ImportBatch.objects.update(state=ImportBatch.State.IMPORTED)
        ImportPiece.objects.filter(of=ImportPiece.Of.FILE).delete()
        call_command("erase_customer", ID, "--yes")
        assert "by theirs: customers.csv." in capsys.readouterr().out
        assert erase(ID, "me", "A-1") == {"rejected rows of uploads": 1}

    def test_files_without_it_are_not_mentioned(self, capsys):
        make_scored(customer_id=ID)
        upload(HEADER_OF_UPLOADS + ROW.format(OTHER_ID, SURNAME, 555) + ROW.format(7, "Else", 40))
        call_command("erase_customer", ID, "--yes")
        assert "No external ID" not in capsys.readouterr().out

    def test_that_of_another_customer_is_refused(self):
        make_scored(customer_id=ID).delete()
        make_customer(customer_id=OTHER_ID, external_id="A-2")
        refused = (
            f"Customer {OTHER_ID} has this external ID; nothing was erased. If both are one person, erase {OTHER_ID}"
        )
        with pytest.raises(CommandError, match=refused):
            call_command("erase_customer", ID, "--yes", "--external-id", "A-2")
        make_customer(customer_id=ID, external_id="A-1")
        with pytest.raises(CommandError, match=f"Customer {ID} has another external ID; nothing was erased"):
            call_command("erase_customer", ID, "--yes", "--external-id", "A-3")
        assert ScoreRecord.objects.filter(customer_id=ID).exists()
