"""A customer of whom every table has something."""

import gzip
import json
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import Failure

from customers.import_export.uploads import steps, worker
from customers.models import AuditFinding, Contact, Customer, Departure, Outcome, RescoreRequest, WorklistItem
from customers.models.imports import ImportBatch
from customers.scoring import scorer
from events.models import Alert, AlertRule, Delivery, Overview
from events.overview import counting
from tests.factories import edit, make_failure, make_scored, mark_as
from tests.staff import superuser

ID, SURNAME = 918273645, "Zweifelhofer"
OTHER_ID, OTHER_SURNAME = 918273646, "Anders"

HEADER = "CustomerId,Surname,CreditScore,Geography,Gender,Age,Tenure,Balance,NumOfProducts,HasCrCard,IsActiveMember\n"
ROW = "{},{},600,France,Male,{},3,50000,1,1,0\n"


def make_everything() -> tuple[Customer, Customer]:
    """The customer, with traces wherever there can be any, and another beside."""
    rule = AlertRule.objects.create(name="Any", kind="threshold", threshold=0.0001, by_webhook=True)
    customer, other = (
        make_scored(customer_id=ID, surname=SURNAME),
        make_scored(customer_id=OTHER_ID, surname=OTHER_SURNAME),
    )
    assert set(Alert.objects.values_list("rule", "customer_id")) == {(rule.pk, ID), (rule.pk, OTHER_ID)}
    Delivery.objects.update(batch=1, alerts=2)
    Alert.objects.update(batch=1)
    Delivery.objects.exclude(pk=Delivery.objects.latest("id").pk).delete()
    for one in (customer, other):
        edit(one, age=50)
        edit(one, age=51)  # whose former version no score has answered
        make_failure(one, error=f"odd values of {one.pk}")
        AuditFinding.objects.create(
            customer_id=one.pk, stored_score=0.1, expected_score=0.2, version=1, release_id=one.scored_by_id
        )
        Outcome.objects.create(customer_id=one.pk, left_on=date(2026, 1, 1))
        Contact.objects.create(customer_id=one.pk, by="teller", channel="phone", outcome="informed", note=one.surname)
        WorklistItem.objects.create(customer_id=one.pk, claimed_by="teller", score=0.9)
    RescoreRequest.objects.create(customer_ids=[OTHER_ID, ID])
    former = timezone.now() - timedelta(days=9)
    for ids in ([ID, OTHER_ID], [ID]):
        Departure.objects.create(left_at=former, customer_ids=ids, arrived_ats=[former] * len(ids))
    RescoreRequest.objects.create(customer_ids=[ID])
    mark_as(2, [ID, OTHER_ID], [ID])
    mark_as(7, [ID])
    visit(superuser("teller"))
    leave_texts()
    upload_files()
    return customer, other


def visit(staff: Client) -> None:
    """What staff do with the customer: read, edit, act, ask; the session keeps a message and whom it has saved."""
    page = f"/admin/customers/customer/{ID}/change/"
    form = staff.get(page).context["adminform"].form.initial
    form = {name: value for name, value in form.items() if value not in (None, False)}
    assert staff.post(page, {**form, "age": 52}).status_code == 302
    assert staff.get("/admin/customers/customer/?q=zweifel", follow=True).status_code == 200
    assert staff.get(f"/customers/insights/{ID}/").status_code == 200
    retried = {"action": "try_again", "_selected_action": [OTHER_ID, ID]}
    assert staff.post("/admin/customers/scoringfailure/", retried).status_code == 302
    alert = Alert.objects.get(customer_id=ID)
    assert staff.post(f"/admin/events/alert/{alert.pk}/change/", {"note": f"called {SURNAME}"}).status_code == 302
    staff.post(page, {**form, "age": 53})  # leaves in the session whom it has saved


def leave_texts() -> None:
    """In a session's message, in the result of a job, in the figures of the overview."""
    session = SessionStore()
    session["_messages"] = json.dumps([["__json_message", 0, messages.INFO, f"Customer {ID}: 10% -> 20%"]])
    session.create()
    innocent = SessionStore()
    innocent["else"] = "of no customer"
    innocent.create()
    Failure.objects.create(
        id="f" * 32, name="failed", func="events.jobs.rescore_stale", args=(), kwargs={"customer": ID},
        result=f"gives customer {ID} another score : {SURNAME}", started=timezone.now(), stopped=timezone.now(),
        success=False,
    )  # fmt: skip
    counting.count_if_due()
    overview = Overview.objects.get()
    movers = [{"customer_id": it, "before": 0.1, "after": 0.9} for it in (ID, OTHER_ID)]
    overview.figures["movers"] = [{"days": 1, "risen": 2, "fallen": 2, "risers": movers, "fallers": movers}]
    overview.save()


def upload(text: str, name: str = "customers.csv", **fields: Any) -> ImportBatch:
    """Uploaded and, by a worker, checked."""
    content = gzip.compress(text.encode()) if name.endswith(".gz") else text.encode()
    batch = ImportBatch(file_name=name)
    steps.begin(batch, SimpleUploadedFile(name, content).chunks())
    worker.work_off()
    ImportBatch.objects.filter(pk=batch.pk).update(**fields)
    batch.refresh_from_db()
    return batch


def upload_files() -> None:
    changed = {"customers": 2, "ids": [OTHER_ID, ID]}
    upload(HEADER + ROW.format(ID, SURNAME, 55) + ROW.format(OTHER_ID, OTHER_SURNAME, 55), changed_since_check=changed)
    upload(HEADER + ROW.format(ID, SURNAME, 55) + ROW.format(7, "Else", 55), "packed.csv.gz")
    upload(HEADER + ROW.format(OTHER_ID, OTHER_SURNAME, 56), "innocent.csv")
    said = f"PostgreSQL said: no loan for {SURNAME}, customer {ID}"
    upload(HEADER + ROW.format(9, "Else", 55), "stopped.csv", state=ImportBatch.State.STOPPED, message=said)
    rejected = [ROW.format(ID, SURNAME, 555), ROW.format("?", SURNAME, 40), ROW.format(OTHER_ID, SURNAME, 556)]
    upload(HEADER + ROW.format(8, "Else", 40) + "".join(rejected), "rejects.csv")


def score_now() -> None:
    """As a worker would, at this moment."""
    while scorer.rescore_batch().claimed:
        pass


def stored(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        return int(cursor.fetchone()[0])
