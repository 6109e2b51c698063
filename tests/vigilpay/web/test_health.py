"""Probes: what a process can do, and nothing that is not for all to know."""

import json

import pytest
from django.conf import settings as configured
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.db import OperationalError, connection
from django.test import Client

from customers.models import ModelRelease
from tests.factories import make_scored
from vigilpay.web import health

LIVE, READY = "/health/live", "/health/ready"
FINE = {"database": "ok", "migrations": "ok", "model": "ok", "static_files": "ok"}


def is_away(*statement):
    raise OperationalError("no route to host db.bank.example")


def test_live_asks_no_database():
    """It would be refused here: this test has no mark that lets it in."""
    response = Client().get(LIVE)
    assert (response.status_code, response.json()) == (200, {"live": True})


@pytest.mark.django_db
class TestReady:
    def test_with_all_parts_there(self, client):
        response = client.get(READY)
        assert (response.status_code, response.json()) == (200, {"ready": True, "parts": FINE})

    def test_without_a_database(self, client):
        with connection.execute_wrapper(is_away):
            response = client.get(READY)
        assert response.status_code == 503
        assert response.json()["parts"]["database"] == "does not answer"
        assert response.json()["parts"]["model"] == "not known"
        assert response.json()["error"] == "Not ready: database, migrations, model."

    def test_it_is_logged_once_however_often_probes_come(self, client, caplog):
        with connection.execute_wrapper(is_away):
            for _ in range(3):
                client.get(READY)
        client.get(READY)
        assert [record.message for record in caplog.records] == [
            "Not ready: database, migrations, model.",
            "This process is ready again.",
        ]

    def test_with_tables_that_are_older_than_the_code(self, client):
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM django_migrations WHERE (app, name) IN (SELECT 'customers', max(name) "
                "FROM django_migrations WHERE app = 'customers')"
            )
        response = client.get(READY)
        assert (response.status_code, response.json()["error"]) == (503, "Not ready: migrations, model.")
        assert response.json()["parts"]["database"] == "ok"

    def test_with_tables_that_are_newer_than_the_code(self, client):
        """As while an upgrade goes from host to host."""
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('customers', '9999_new', now())")
        assert client.get(READY).status_code == 200

    def test_without_a_usable_model(self, client, assets):
        (assets / "model.pkl").write_bytes(b"not a model")
        response = client.get(READY)
        assert (response.status_code, response.json()["error"]) == (503, "Not ready: model.")

    def test_with_another_model_in_place_than_the_active_one(self, client, strict_assets):
        make_scored()
        ModelRelease.objects.create(sha256="a" * 64, fingerprint="a" * 64)
        assert client.get(READY).json()["error"] == "Not ready: model."

    def test_activates_nothing(self, client, strict_assets):
        assert client.get(READY).status_code == 200
        assert not ModelRelease.objects.exists()

    def test_without_static_files(self, client, monkeypatch, tmp_path):
        storage = ManifestStaticFilesStorage(location=tmp_path)
        monkeypatch.setattr(health, "staticfiles_storage", storage)
        assert client.get(READY).json()["error"] == "Not ready: static files."
        storage.hashed_files["admin/css/base.css"] = "admin/css/base.0123.css"
        assert client.get(READY).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("address", [LIVE, READY])
class TestBoth:
    def test_are_open_to_all_also_where_views_ask_for_a_login(self, client, settings, address):
        settings.API_LOGIN_REQUIRED = True
        assert client.get(address).status_code == 200

    def test_are_not_sent_to_https(self, client, settings, address):
        settings.SECURE_SSL_REDIRECT = True
        assert client.get(address).status_code == 200

    def test_answer_no_other_method(self, client, address):
        response = client.post(address)
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")

    def test_say_nothing_of_versions_hosts_and_paths(self, client, address):
        said = json.dumps(client.get(address).json())
        for secret in (configured.DATABASES["default"]["NAME"], str(configured.BASE_DIR), "version", "5.2"):
            assert secret not in said
