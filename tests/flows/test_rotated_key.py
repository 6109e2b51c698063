"""Another SECRET_KEY: sessions go on by the fallback, and jobs that the former key has signed are dropped, not lost."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from tests.databases import migrated_database
from tests.factories import A_CUSTOMER
from tests.others import await_that
from tests.workers import running_cluster

ROOT = Path(__file__).resolve().parents[2]
FORMER, NEW = "former-" * 10, "new-" * 20
QUEUE = "from django_q.tasks import async_task; async_task('events.jobs.rescore_stale')"
INSERT = f"""
INSERT INTO customers_customer (customer_id, {", ".join(A_CUSTOMER)}) VALUES (7{", %s" * len(A_CUSTOMER)})
"""


def manage(url, *command):
    told = {**os.environ, "DATABASE_URL": url, "SECRET_KEY": FORMER}
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=told, check=True, capture_output=True)


def test_jobs_of_the_former_key_are_dropped_once_and_their_customers_are_scored(tmp_path):
    migrated = migrated_database("vigilpay_test_key")
    with migrated as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(INSERT, list(A_CUSTOMER.values()))
        for _ in range(3):
            manage(url, "shell", "--no-imports", "-c", QUEUE)

        def answer(question):
            return connection.execute(question).fetchone()[0]

        keys = {"SECRET_KEY": NEW, "SECRET_KEY_FALLBACKS": FORMER}
        stale = "SELECT count(*) FROM customers_customer WHERE stale_since IS NOT NULL"
        with running_cluster(url, tmp_path / "log", **keys):
            await_that(lambda: not answer(stale), "the customer is scored", seconds=120)
            await_that(lambda: not answer("SELECT count(*) FROM django_q_ormq"), "the queue is empty")
        dropped = (tmp_path / "log").read_text().count("Failed to push task to queue")
    assert dropped == 3


@pytest.mark.django_db
class TestSessions:
    @pytest.fixture
    def of_the_former_key(self, settings):
        settings.SECRET_KEY = FORMER
        client = Client()
        client.force_login(get_user_model().objects.create_superuser("clerk", password="only for this test"))
        settings.SECRET_KEY = NEW
        return client

    def test_go_on_with_the_fallback(self, of_the_former_key, settings):
        settings.SECRET_KEY_FALLBACKS = [FORMER]
        assert of_the_former_key.get("/admin/").status_code == 200
        settings.SECRET_KEY_FALLBACKS = []
        assert of_the_former_key.get("/admin/").status_code == 200  # taken over by the new key meanwhile

    def test_end_without_it(self, of_the_former_key, settings):
        assert of_the_former_key.get("/admin/").status_code == 302
