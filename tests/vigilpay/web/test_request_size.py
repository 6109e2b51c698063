"""Requests that are too long are refused before a byte of them is kept."""

import pytest
from django.conf import settings as configured
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.databases import scratch_database
from tests.staff import logged_in, with_role
from tests.web_server import running_site
from vigilpay.web.request_size import FORM_BYTES, MOST_BYTES

UPLOAD = "/admin/customers/importbatch/add/"
MB = 1024 * 1024


def claim(client, address, length, content_type="application/x-www-form-urlencoded"):
    """A request that says so, whatever it has."""
    return client.generic("POST", address, b"a=1", content_type, CONTENT_LENGTH=str(length))


@pytest.mark.django_db
class TestByAddress:
    def test_a_form_in_the_admin_is_refused_by_a_page(self, client):
        response = claim(client, "/admin/login/", 572 * MB)
        assert response.status_code == 413
        assert "<h1>Too much at once</h1>" in response.text
        assert "1,048,576 bytes" in response.text

    @pytest.mark.parametrize("address", ["/customers/what-if/", "/customers/analyze/1/", "/", "/nothing/"])
    def test_elsewhere_it_is_refused_in_json(self, client, address):
        response = claim(client, address, MOST_BYTES + 1, "application/json")
        assert response.status_code == 413
        assert "limit" in response.json()["error"]

    def test_what_a_form_may_have_goes_on(self, client):
        assert claim(client, "/admin/login/", MOST_BYTES, "text/plain").status_code == 200

    @pytest.mark.parametrize("length", ["", "-1"])
    def test_a_length_that_is_none_counts_as_nothing(self, client, length):
        assert claim(client, "/admin/login/", length).status_code == 200


@pytest.mark.django_db
class TestUploads:
    largest = configured.IMPORT_MAX_MB * MB + FORM_BYTES

    def test_staff_who_may_import_send_as_much_as_the_setting_says(self):
        staff = with_role("analyst")
        assert claim(staff, UPLOAD, self.largest, "text/plain").status_code == 200
        assert claim(staff, UPLOAD, self.largest + 1, "text/plain").status_code == 413

    def test_others_send_no_more_than_a_form(self, client):
        assert claim(client, UPLOAD, MOST_BYTES + 1).status_code == 413
        assert claim(logged_in("reader", "view_customer"), UPLOAD, MOST_BYTES + 1).status_code == 413

    def test_a_session_that_is_none_is_no_right(self, client):
        client.cookies["sessionid"] = "of no session"
        assert claim(client, UPLOAD, MOST_BYTES + 1).status_code == 413

    def test_an_upload_that_is_longer_than_a_form_is_taken(self):
        rows = b"surname\n" * 200_000
        response = with_role("analyst").post(UPLOAD, {"file": SimpleUploadedFile("rows.csv", rows)})
        assert response.status_code == 200  # the form again, for this is no file of customers
        assert b"errornote" in response.content


def test_no_middleware_before_it_looks_at_a_body():
    before = configured.MIDDLEWARE[: configured.MIDDLEWARE.index("vigilpay.web.request_size.RequestSizeMiddleware")]
    assert not [name for name in before if name.startswith("django.") or "access" in name or "odd" in name]


@pytest.mark.process
def test_nothing_of_it_is_kept(tmp_path):
    """By the real server, which hands a body on as it comes."""
    kept = tmp_path / "kept"
    kept.mkdir()
    head = b"POST /admin/login/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
    with (
        scratch_database("vigilpay_test_size") as url,
        running_site(url, tmp_path / "log", TMPDIR=str(kept)) as site,
        site.connect(head + b"Content-Length: 599785472\r\n\r\n" + part + b"x" * 40_000) as client,
    ):
        before = {path.name for path in kept.iterdir()}  # gunicorn's own
        assert client.recv(1000).startswith(b"HTTP/1.1 413 ")
        assert {path.name for path in kept.iterdir()} == before
        with site.connect(head + b"Transfer-Encoding: chunked\r\n\r\n8000\r\n" + part + b"x" * 30_000) as chunked:
            assert b"HTTP/1.1 " in chunked.recv(1000)  # never read
            assert {path.name for path in kept.iterdir()} == before
