"""Uploads of staff, from the form to the imported customers."""

import csv
import gzip
import io
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.html import escape

from customers.import_export.uploads import worker
from customers.models import CategoryAlias, ColumnMapping, Customer
from customers.models.imports import ImportBatch, ImportPiece
from tests.customers.import_export.csv_files.texts import HEADER, row, rows, text_of
from tests.staff import logged_in, superuser, with_role

pytestmark = pytest.mark.django_db

LIST = "/admin/customers/importbatch/"
State = ImportBatch.State


@pytest.fixture
def staff():
    return superuser()


def upload(client, *body, header=HEADER, name="bank.csv", content=None, follow=False, **said):
    text = text_of([header, *body]).encode() if content is None else content
    return client.post(f"{LIST}add/", {"file": SimpleUploadedFile(name, text), **said}, follow=follow)


def page_of(batch):
    return f"{LIST}{batch.pk}/change/"


def uploaded(client, *body):
    assert upload(client, *body).status_code == 302
    return ImportBatch.objects.latest("id")


def checked(client, *body):
    batch = uploaded(client, *body)
    worker.work_off()
    batch.refresh_from_db()
    assert batch.state == State.CHECKED, batch.message
    return batch


def say(client, batch, step, follow=True):
    return client.post(page_of(batch), {"next_step": step}, follow=follow)


def shown(response, name):
    """What the page shows of one of its facts."""
    found = re.search(rf'field-{name}">.*?<div class="readonly">(.*?)</div>', response.content.decode(), re.DOTALL)
    return found[1].strip()


def complaint(response):
    assert response.status_code == 200
    return response.context["adminform"].form.errors["file"][0]


class TestUpload:
    def test_a_file_is_taken_in_and_nothing_is_imported(self, staff):
        response = upload(staff, *rows(3), follow=True)
        batch = ImportBatch.objects.get()
        assert response.redirect_chain == [(page_of(batch), 302)]
        assert (batch.file_name, batch.state, batch.uploaded_by.get_username()) == ("bank.csv", State.UPLOADED, "clerk")
        assert (len(batch.sha256), batch.file_bytes) == (64, len(text_of([HEADER, *rows(3)])))
        assert not Customer.objects.exists()

    def test_the_workers_are_told_once_it_is_committed(self, staff, django_capture_on_commit_callbacks, monkeypatch):
        told = []
        monkeypatch.setattr("events.queue.dispatch.async_task", told.append)
        with django_capture_on_commit_callbacks(execute=True):
            upload(staff, *rows(3))
        assert told == ["events.jobs.go_on_with_imports"]

    def test_a_large_file_comes_in_pieces(self, staff, monkeypatch, settings):
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
        monkeypatch.setattr("customers.import_export.uploads.storage.PIECE_BYTES", 100)
        batch = uploaded(staff, *rows(5))
        assert batch.pieces.count() > 3
        worker.work_off()
        batch.refresh_from_db()
        assert (batch.state, batch.new) == (State.CHECKED, 5)

    def test_too_large_a_file_is_refused_with_its_limit(self, staff, settings):
        settings.IMPORT_MAX_MB = 1
        said = complaint(upload(staff, content=b"x" * (1024 * 1024 + 1)))
        assert "the limit is 1.0" in said
        assert not ImportBatch.objects.exists()

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"PK\x03\x04rest", "is an Excel workbook or a zip archive, not a CSV"),
            ("CustomerId,Geography".encode("utf-16"), "UTF-16"),
            (b"CustomerId,Age\n1,40\n", "lacks the columns CreditScore"),
            (b"\n\n", "nothing but blank lines"),
            ("CustomerId,Gesch\xe4ft\n".encode("cp1252"), "Line 1 is not UTF-8; it looks like Windows-1252"),
            (b"", "empty"),
            (gzip.compress(b"CustomerId,Age\n1,40\n", mtime=0), "lacks the columns CreditScore"),
            (gzip.compress(b"PK\x03\x04rest", mtime=0), "is an Excel workbook or a zip archive, not a CSV"),
            (gzip.compress(b"CustomerId,Age\n1,40\n", mtime=0)[:20], "is a damaged or incomplete gzip archive"),
        ],
    )
    def test_what_is_no_such_file_is_said_at_once(self, staff, content, said):
        assert said in complaint(upload(staff, content=content, name="bank.csv"))
        assert not ImportBatch.objects.exists()

    def test_a_packed_file_is_checked_as_what_it_holds(self, staff):
        upload(staff, content=gzip.compress(text_of([HEADER, *rows(3)]).encode()))
        worker.work_off()
        assert ImportBatch.objects.get().new == 3

    def test_one_that_unpacks_to_more_than_the_limit_is_refused(self, staff, settings):
        settings.IMPORT_MAX_MB = 1
        bomb = gzip.compress(text_of([HEADER]).encode() + b" " * (50 * 1024 * 1024))
        assert len(bomb) < 100_000
        upload(staff, content=bomb)
        worker.work_off()
        batch = ImportBatch.objects.get()
        assert batch.state == State.REFUSED
        assert batch.message.startswith("bank.csv has more than 1 MB when it is unpacked, which is the limit.")


class TestNumberFormats:
    BODY = (row(1, Balance="83.800"), row(2, Balance="0"))

    def test_what_is_ambiguous_is_refused_and_the_user_chooses_the_mark_beside_the_file(self, staff):
        upload(staff, *self.BODY)
        worker.work_off()
        batch = ImportBatch.objects.get()
        assert batch.state == State.REFUSED
        assert batch.message.startswith("Balance is ambiguous: 83.800 (line 2)")
        assert "choose the decimal mark beside the file" in batch.message
        assert 'name="decimal"' in staff.get(f"{LIST}add/").content.decode()

    def test_the_chosen_mark_holds_for_the_check_and_the_import_and_is_told(self, staff):
        upload(staff, *self.BODY, decimal="comma")
        worker.work_off()
        batch = ImportBatch.objects.get()
        page = staff.get(page_of(batch)).content.decode()
        assert "Balance: decimal comma, thousands by point" in page
        assert "Comma: 1.234,56" in page
        say(staff, batch, "import")
        worker.work_off()
        assert Customer.objects.get(pk=1).balance == 83800

    def test_without_a_choice_the_column_decides(self, staff):
        upload(staff, row(1, Balance="1.234,50"), row(2, Balance="83.800"))
        worker.work_off()
        say(staff, ImportBatch.objects.get(), "import")
        worker.work_off()
        assert Customer.objects.get(pk=2).balance == 83800

    def test_another_choice_is_refused(self, staff):
        response = upload(staff, *self.BODY, decimal="dash")
        assert "decimal" in response.context["adminform"].form.errors


class TestCheck:
    def test_the_report_says_what_an_import_would_do(self, staff):
        batch = checked(staff, *rows(2))
        say(staff, batch, "import")
        worker.work_off()
        batch = checked(staff, row(1), row(2, Age="50"), row(3), row(4, Age="200"), row(5, Balance="?"))
        page = staff.get(page_of(batch)).content.decode()
        assert "1 new, 1 changed, 1 unchanged, 2 rejected" in page
        assert "Line 5: Age must be a whole number from 18 to 110" in page
        assert "Ignored columns: RowNumber, EstimatedSalary, Exited" in page
        assert Customer.objects.count() == 2

    def test_the_rejected_rows_can_be_downloaded_with_line_and_reason(self, staff):
        batch = checked(staff, row(1), row(2, Age="200", Surname="=1+1"))
        address = f"{LIST}{batch.pk}/rejects/"
        assert address in staff.get(page_of(batch)).content.decode()
        response = staff.get(address)
        [line] = csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode()))
        assert (line["row_number"], line["column"], line["Surname"]) == ("3", "Age", "'=1+1")
        assert "must be a whole number" in line["reason"]

    def test_without_rejected_rows_there_is_nothing_to_download(self, staff):
        batch = checked(staff, row(1))
        assert staff.get(f"{LIST}{batch.pk}/rejects/").status_code == 404
        assert "/rejects/" not in staff.get(page_of(batch)).content.decode()

    def test_a_file_that_can_not_be_read_to_its_end_is_refused_and_forgotten(self, staff):
        text = text_of([HEADER, *rows(2000), row(2001, Surname="Müller")])
        upload(staff, content=text.encode("cp1252"))
        worker.work_off()
        batch = ImportBatch.objects.get()
        assert batch.state == State.REFUSED
        assert batch.message.startswith("Line 2002 is not UTF-8")
        assert not ImportPiece.objects.exists()
        assert escape(batch.message) in staff.get(page_of(batch)).content.decode()

    def test_until_it_is_checked_nothing_is_said_of_the_file_and_the_page_stays_as_it_is(self, staff):
        batch = uploaded(staff, row(1))
        response = staff.get(page_of(batch))
        page = response.content.decode()
        assert "Refresh" not in response
        assert shown(response, "reasons") == shown(response, "rejected_rows") == shown(response, "report")
        assert shown(response, "report") == "Not known yet"
        assert "Checking… since" in page
        assert f'href="{page_of(batch)}">Update</a>' in page
        worker.work_off()
        response = staff.get(page_of(batch))
        assert "Update</a>" not in response.content.decode()
        assert shown(response, "rejected_rows") == "None"

    def test_a_file_of_bad_rows_alone_can_not_be_imported(self, staff):
        batch = checked(staff, row(1, Age="200"))
        response = staff.get(page_of(batch))
        assert response.context["adminform"].form.fields["next_step"].choices == [
            ("cancel", "Cancel, and delete the file")
        ]


class TestImport:
    def test_once_confirmed_the_customers_are_stored_as_edits_of_that_person(self, staff):
        batch = checked(staff, row(1), row(2), row(3, Age="200"))
        say(staff, batch, "import")
        assert not Customer.objects.exists()
        worker.work_off()
        batch.refresh_from_db()
        assert (batch.state, batch.stored_new, batch.stored_changed, batch.stored_rows) == (State.IMPORTED, 2, 0, 2)
        Customer.objects.filter(pk=1).update(age=60)
        again = checked(staff, row(1))
        say(staff, again, "import")
        worker.work_off()
        assert Customer.objects.get(pk=1).edited_by == f"django:{again.confirmed_by_id or again.uploaded_by_id}"

    def test_the_page_tells_how_far_it_is_and_what_was_done(self, staff):
        batch = checked(staff, *rows(3))
        page = say(staff, batch, "import").content.decode()
        assert "0 of 3 rows (0.0\N{NO-BREAK SPACE}%)" in page
        worker.work_off()
        page = staff.get(page_of(batch)).content.decode()
        assert "3 of 3 rows (100.0\N{NO-BREAK SPACE}%)" in page
        assert "3 new, 0 changed; 0 rejected" in page
        assert "_save" not in page  # nothing is left to say

    def test_the_file_is_forgotten_and_the_rejected_rows_stay(self, staff):
        batch = checked(staff, row(1), row(2, Age="200"))
        say(staff, batch, "import")
        worker.work_off()
        assert set(batch.pieces.values_list("of", flat=True)) == {"rejects"}

    def test_cancelled_it_is_never_imported(self, staff):
        batch = checked(staff, row(1))
        say(staff, batch, "cancel")
        worker.work_off()
        batch.refresh_from_db()
        assert (batch.state, batch.message) == (State.CANCELLED, "Cancelled by clerk.")
        assert not Customer.objects.exists()
        assert not ImportPiece.objects.exists()

    def test_of_two_who_say_different_things_the_first_is_heard(self, staff):
        batch = checked(staff, row(1))
        other_tab = ImportBatch.objects.get(pk=batch.pk)
        say(staff, batch, "cancel")
        assert say(staff, other_tab, "import").status_code in (200, 403)
        assert ImportBatch.objects.get().state == State.CANCELLED

    def test_what_was_said_is_in_the_log_of_the_admin(self, staff):
        batch = checked(staff, row(1))
        say(staff, batch, "import")
        said = [entry.get_change_message() for entry in LogEntry.objects.order_by("id")]
        assert said == ["Uploaded for checking.", "Confirmed."]

    def test_an_import_is_never_deleted(self, staff):
        batch = checked(staff, row(1))
        assert staff.post(f"{LIST}{batch.pk}/delete/", {"post": "yes"}).status_code == 403


class TestChangedSinceTheCheck:
    @pytest.fixture
    def batch(self, staff):
        say(staff, checked(staff, row(1), row(2)), "import")
        worker.work_off()
        batch = checked(staff, row(1, Age="50"), row(2))
        ImportBatch.objects.filter(pk=batch.pk).update(checked_at=timezone.now() - timedelta(hours=5))
        Customer.objects.filter(pk=1).update(age=60)
        return batch

    def test_the_page_says_how_old_the_check_is(self, staff, batch):
        page = staff.get(page_of(batch)).content.decode()
        assert "5 h ago" in page
        assert "if one has changed since this check, you are asked to confirm again" in page

    def test_confirmed_it_asks_again_and_links_to_the_customers(self, staff, batch):
        say(staff, batch, "import")
        worker.work_off()
        page = staff.get(page_of(batch)).content.decode()
        assert "1 customer was edited, added or deleted since the check of" in page
        assert '<a href="/admin/customers/customer/1/change/">1</a>' in page
        [address] = re.findall(r'href="([^"]*customer_id__in[^"]*)"', page)
        listed = staff.get(address).content.decode()
        assert "/admin/customers/customer/1/change/" in listed
        assert "/admin/customers/customer/2/change/" not in listed
        assert Customer.objects.get(pk=1).age == 60
        say(staff, batch, "import")
        worker.work_off()
        assert Customer.objects.get(pk=1).age == 50

    def test_a_page_that_was_shown_before_confirms_nothing(self, staff, batch):
        shown = staff.get(page_of(batch)).context["adminform"].form["check"].value()
        say(staff, batch, "import")
        worker.work_off()
        stale = staff.post(page_of(batch), {"next_step": "import", "check": shown}, follow=True)
        assert "the file has been checked again" in str(next(iter(stale.context["messages"])))
        assert ImportBatch.objects.get(pk=batch.pk).state == State.CHECKED
        shown = stale.context["adminform"].form["check"].value()
        staff.post(page_of(batch), {"next_step": "import", "check": shown})
        assert ImportBatch.objects.get(pk=batch.pk).state == State.CONFIRMED


class TestWhoMay:
    def test_users_who_may_add_imports_may_do_all_of_it(self):
        client = logged_in("analyst", "add_importbatch")
        batch = checked(client, row(1), row(2, Age="1"))
        assert client.get(LIST).status_code == 200
        assert client.get(f"{LIST}{batch.pk}/rejects/").status_code == 200
        say(client, batch, "import")
        worker.work_off()
        assert Customer.objects.count() == 1

    def test_users_who_may_look_can_do_no_more(self, staff):
        batch = checked(staff, row(1), row(2, Age="1"))
        client = logged_in("viewer", "view_importbatch")
        assert client.get(page_of(batch)).status_code == 200
        assert say(client, batch, "import").status_code == 403
        assert upload(client, row(1)).status_code == 403
        assert client.get(f"{LIST}{batch.pk}/rejects/").status_code == 404
        assert ImportBatch.objects.get().state == State.CHECKED

    def test_others_see_nothing(self, staff):
        batch = checked(staff, row(1))
        client = logged_in("viewer", "view_customer")
        assert client.get(LIST).status_code == 403
        assert client.get(page_of(batch)).status_code == 403


class TestMapping:
    @pytest.fixture
    def mapping(self):
        return ColumnMapping.objects.create(name="core banking", columns="Kontostand=balance")

    def test_one_is_chosen_beside_the_file_and_kept_with_it(self, staff, mapping):
        header = ["Kontostand" if name == "Balance" else name for name in HEADER]
        upload(staff, row(7, Balance="12.50"), header=header, mapping=mapping.pk)
        mapping.delete()
        worker.work_off()
        batch = ImportBatch.objects.get()
        assert (batch.state, batch.new) == (State.CHECKED, 1)
        assert "Kontostand = balance" in shown(staff.get(page_of(batch)), "mapped_columns")

    def test_a_file_without_its_columns_is_refused_at_once(self, staff, mapping):
        said = complaint(upload(staff, row(7), mapping=mapping.pk))
        assert "has no column Kontostand, which is mapped to balance" in said

    def test_analysts_keep_mappings_and_aliases(self):
        analyst = with_role("analyst")
        said = {"name": "core", "columns": "Kontostand = Balance\r\nAlter=age\r\n"}
        analyst.post("/admin/customers/columnmapping/add/", said)
        assert ColumnMapping.objects.get().columns == "Kontostand=balance\nAlter=age"
        analyst.post(
            "/admin/customers/categoryalias/add/", {"field": "geography", "written": " BRD", "meant": "Germany"}
        )
        assert str(CategoryAlias.objects.get()) == "Country: BRD = Germany"
        for name in ("columnmapping", "categoryalias"):
            assert analyst.get(f"/admin/customers/{name}/").status_code == 200
            assert analyst.post(f"/admin/customers/{name}/1/delete/").status_code in (200, 302)

    @pytest.mark.parametrize(
        ("page", "said", "answer"),
        [
            ("columnmapping", {"name": "core", "columns": "Kontostand=blance"}, "Did you mean balance?"),
            ("categoryalias", {"field": "geography", "written": "A", "meant": "A"}, "No alias is needed."),
        ],
    )
    def test_what_cannot_be_kept_is_said(self, staff, page, said, answer):
        response = staff.post(f"/admin/customers/{page}/add/", said)
        assert answer in response.content.decode()

    def test_viewers_only_see_them(self, mapping):
        viewer = with_role("viewer")
        assert viewer.get("/admin/customers/columnmapping/").status_code == 200
        assert viewer.post("/admin/customers/columnmapping/add/", {"name": "a", "columns": "b=age"}).status_code == 403
