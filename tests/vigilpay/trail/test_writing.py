"""One statement appends an entry, and waits for no disk."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from vigilpay.trail import writing
from vigilpay.trail.models import TrailEntry

pytestmark = pytest.mark.django_db


def test_an_entry_is_one_statement():
    with CaptureQueriesContext(connection) as asked:
        writing.append("user:1", TrailEntry.Purpose.LIST, "admin:here", [3, 2])
    assert len(asked) == 1
    entry = TrailEntry.objects.get()
    assert (entry.actor, entry.purpose, entry.customer_ids, entry.erased) == ("user:1", "list", [3, 2], [])
    assert not entry.refused


@pytest.mark.django_db(transaction=True)
def test_its_commit_does_not_wait_for_the_disk_and_the_session_is_left_as_it_was():
    def synchronous():
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('synchronous_commit')")
            return cursor.fetchone()[0]

    before = synchronous()
    with CaptureQueriesContext(connection) as asked:
        writing.append("user:1", TrailEntry.Purpose.VIEW, "here", [1])
    assert "set_config('synchronous_commit', 'off', true)" in asked[0]["sql"]
    assert synchronous() == before != "off"


def test_long_names_are_cut():
    writing.append("a" * 200, TrailEntry.Purpose.VIEW, "b" * 200)
    entry = TrailEntry.objects.get()
    assert (len(entry.actor), len(entry.address)) == (150, 100)


def test_a_command_is_the_work_of_the_user_of_the_host(monkeypatch):
    monkeypatch.setattr(writing, "getuser", lambda: "alice")
    assert writing.command_actor("erase_customer") == "command:erase_customer by alice"

    def nameless():
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr(writing, "getuser", nameless)
    assert writing.command_actor("erase_customer") == "command:erase_customer by an unknown user"
