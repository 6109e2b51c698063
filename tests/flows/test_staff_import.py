"""The whole way of an upload on real parts: a person in the admin, a worker in a process of its own."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from customers.models import Customer
from customers.models.imports import ImportBatch
from tests.customers.import_export.csv_files.texts import HEADER, row, rows, text_of
from tests.databases import url_of_test_database
from tests.others import await_that
from tests.staff import logged_in
from tests.workers import running_cluster

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]

CUSTOMERS = 5000
PAGES = "/admin/customers/importbatch/"


def test_an_upload_is_checked_confirmed_imported_and_scored(tmp_path):
    analyst = logged_in("analyst", "add_importbatch")
    log = tmp_path / "qcluster.log"
    with running_cluster(url_of_test_database(), log):
        text = text_of([HEADER, *rows(CUSTOMERS), row(CUSTOMERS + 1, Age="7")])
        file = SimpleUploadedFile("bank.csv", text.encode())
        batch_page = analyst.post(f"{PAGES}add/", {"file": file}).headers["Location"]
        await_state("checked")
        page = analyst.get(batch_page).content.decode()
        assert f"{CUSTOMERS:,} new, 0 changed, 0 unchanged, 1 rejected" in page
        assert f"Line {CUSTOMERS + 2}: Age must be a whole number from 18 to 110" in page
        assert not Customer.objects.exists()

        analyst.post(batch_page, {"next_step": "import"})
        batch = await_state("imported")
        await_that(lambda: not Customer.objects.stale().exists(), "all customers are scored", seconds=60)
    assert (batch.stored_new, Customer.objects.count()) == (CUSTOMERS, CUSTOMERS)
    assert not re.search(r"Traceback|ERROR|CRITICAL", log.read_text()), log.read_text()


def await_state(state):
    return await_that(lambda: ImportBatch.objects.filter(state=state).first(), f"the import is {state}", seconds=60)
