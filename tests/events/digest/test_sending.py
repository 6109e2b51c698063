"""The digest goes out once for each period, whatever becomes of workers and mail servers."""

import logging
import os
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core import mail
from django.db.models import F
from django.utils import timezone
from django_q.conf import Conf

from customers.models import ScoreRecord
from events import jobs
from events.digest import outbox, sending
from events.digest.period import Period, last_finished
from events.models.digest import Digest
from tests.databases import url_of_test_database
from tests.events.digest.mail_server import serving_mail
from tests.factories import make_customer
from tests.others import together
from vigilpay.env import ROOT

pytestmark = pytest.mark.django_db

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture(autouse=True)
def set_up(settings):
    settings.DIGEST = "daily"
    settings.DIGEST_RECIPIENTS = ["ann@example.org", "bob@example.org"]
    settings.EMAIL_HOST = "mail.example.org"
    settings.SITE_URL = ""


@pytest.fixture
def by_smtp(settings):
    """Hand mail to this server, and not to Django's outbox of tests."""

    def use(server):
        settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = SMTP, "127.0.0.1", server.port

    return use


def yesterday():
    return last_finished("daily", timezone.now())


def moved(before, after, *, cause="edited", surname="Secret"):
    """A customer whose risk has moved so yesterday."""
    customer = make_customer(surname=surname)
    ScoreRecord.objects.create(
        customer_id=customer.pk,
        score=after,
        previous_score=before,
        version=1,
        scored_by_id=1,
        cause=cause,
        scored_at=yesterday().begins + timedelta(hours=9),
    )
    return customer


def let_pass(**span):
    """As if so much time had passed."""
    Digest.objects.update(due_at=F("due_at") - timedelta(**span))


def body():
    return mail.outbox[-1].body.replace("\N{NO-BREAK SPACE}", " ")


class TestText:
    def test_it_says_who_became_critical_and_who_is_no_longer(self):
        riser, faller, new = moved(0.624, 0.976), moved(0.8, 0.1), moved(None, 0.9, cause="created")
        by_model = moved(0.1, 0.8, cause="release")
        assert jobs.send_digest() == 1
        assert mail.outbox[0].subject == f"VigilPay: churn risk, {yesterday()}"
        assert mail.outbox[0].to == ["ann@example.org", "bob@example.org"]
        assert (
            "Risk became critical (75.0 % or more): 3 customers, 1 of them because of a new model release\n" in body()
        )
        assert f"customer {riser.pk}: 62.4 % → 97.6 %\n" in body()
        assert f"customer {new.pk}: first score → 90.0 %\n" in body()
        assert f"customer {by_model.pk}: 10.0 % → 80.0 %, new model release\n" in body()
        assert f"Risk is no longer critical: 1 customer\ncustomer {faller.pk}: 80.0 % → 10.0 %\n" in body()
        assert "Critical customers: 0, value at risk EUR 0\nOpen alerts: 0\nFollow-ups due: 0" in body()
        assert "Secret" not in body()
        assert "http" not in body()

    def test_without_movers_it_says_so(self):
        jobs.send_digest()
        assert "Risk became critical (75.0 % or more): no customer\n" in body()
        assert "Risk is no longer critical: no customer\n" in body()

    def test_customers_are_linked_where_the_sites_address_is_known(self, settings):
        settings.SITE_URL = "https://churn.example.org/"
        customer = moved(0.1, 0.9)
        jobs.send_digest()
        assert f"90.0 %, https://churn.example.org/admin/customers/customer/{customer.pk}/change/\n" in body()

    def test_of_many_fifty_are_named(self, monkeypatch):
        monkeypatch.setattr("events.digest.contents.NAMED", 3)
        for _ in range(5):
            moved(0.1, 0.9)
        jobs.send_digest()
        assert body().count("\ncustomer ") == 3
        assert "and 2 more\n" in body()


class TestOnce:
    def test_it_is_sent_once_for_each_period(self):
        assert [jobs.send_digest() for _ in range(3)] == [1, 0, 0]
        digest = Digest.objects.get()
        assert (digest.state, digest.attempts, digest.first_day) == ("sent", 1, yesterday().first_day)

    def test_off_sends_nothing(self, settings):
        settings.DIGEST = "off"
        assert jobs.send_digest() == 0
        assert not Digest.objects.exists()

    def test_a_week_has_its_own(self, settings):
        jobs.send_digest()
        settings.DIGEST = "weekly"
        assert jobs.send_digest() == 1
        assert mail.outbox[1].subject == f"VigilPay: churn risk, {last_finished('weekly', timezone.now())}"

    @pytest.mark.django_db(transaction=True)
    def test_many_workers_at_once_send_one(self):
        assert sum(together(*[sending.send_if_due] * 6)) == 1
        assert len(mail.outbox) == 1

    def test_it_is_forgotten_with_the_history(self, settings):
        settings.HISTORY_DAYS = 30
        jobs.send_digest()
        Digest.objects.update(ended_at=timezone.now() - timedelta(days=31))
        jobs.prune_history()
        assert not Digest.objects.exists()


class TestFailure:
    def test_a_server_that_refuses_gets_the_same_message_again(self, by_smtp, caplog):
        customer = moved(0.1, 0.9)
        with serving_mail(b"451 later", b"250 taken") as server:
            by_smtp(server)
            assert jobs.send_digest() == 0
            assert jobs.send_digest() == 0  # not before its time
            let_pass(minutes=15)
            assert jobs.send_digest() == 1
        first, second = server.messages
        key = Digest.objects.get().key
        assert first["Message-ID"] == second["Message-ID"] == f"<{key}@vigilpay>"
        assert f"customer {customer.pk}: " in second.get_content()
        assert server.recipients[1] == ["ann@example.org", "bob@example.org"]
        assert caplog.text.count("is tried again") == 1
        assert "Digests are sent again." in caplog.text

    def test_without_a_mail_server_it_says_so(self, settings):
        settings.EMAIL_HOST = ""
        assert jobs.send_digest() == 0
        assert "EMAIL_HOST is not set" in Digest.objects.get().error

    def test_pauses_grow_up_to_four_hours_and_the_seventh_attempt_is_the_last(self, settings, caplog):
        settings.EMAIL_HOST = ""
        pauses = []
        for _ in range(8):
            jobs.send_digest()
            pauses.append(round((Digest.objects.get().due_at - timezone.now()) / timedelta(minutes=1)))
            let_pass(hours=5)
        assert pauses[:6] == [15, 60, 240, 240, 240, 240]
        digest = Digest.objects.get()
        assert (digest.state, digest.attempts) == ("given up", 7)
        assert "is given up: see Digests in the admin" in caplog.text

    def test_one_that_was_given_up_can_be_tried_again(self):
        outbox.add(yesterday())
        outbox.add(Period("daily", yesterday().first_day - timedelta(days=3000)))  # its scores are no longer kept
        Digest.objects.update(state="given up", attempts=7, ended_at=timezone.now())
        assert outbox.try_again(Digest.objects.all()) == 1
        assert jobs.send_digest() == 1

    def test_an_error_that_may_quote_values_is_only_named(self, monkeypatch, caplog):
        def fail(period):
            raise ValueError("Secret")

        monkeypatch.setattr("events.digest.email.contents_of", fail)
        with caplog.at_level(logging.DEBUG):
            jobs.send_digest()
        assert Digest.objects.get().error == "ValueError"
        assert "Secret" not in caplog.text

    def test_one_of_days_ago_is_not_sent_any_more(self):
        outbox.add(Period("daily", yesterday().first_day - timedelta(days=9)))
        Digest.objects.update(created_at=timezone.now() - timedelta(days=3))
        assert jobs.send_digest() == 1  # yesterday's
        assert sorted(Digest.objects.values_list("state", flat=True)) == ["given up", "sent"]

    @pytest.mark.parametrize(("days_ago", "state"), [(30, "given up"), (29, "sent")])
    def test_one_whose_scores_are_no_longer_kept_is_given_up(self, settings, days_ago, state):
        """It would say that no risk has changed."""
        settings.HISTORY_DAYS = 30
        old = Period("daily", timezone.localdate() - timedelta(days=days_ago))
        outbox.add(old)
        jobs.send_digest()
        digest = Digest.objects.get(first_day=old.first_day)
        assert digest.state == state
        assert ("no longer kept" in digest.error) == (state == "given up")

    def test_a_worker_that_dies_before_sending_loses_nothing(self):
        outbox.add(yesterday())
        assert outbox.claim() is not None
        assert jobs.send_digest() == 0  # no other worker while the first may be at work
        let_pass(seconds=2 * Conf.TIMEOUT + 1)
        assert jobs.send_digest() == 1
        assert len(mail.outbox) == 1

    def test_whose_last_attempt_died_with_its_worker_is_given_up(self, settings):
        settings.ALERT_ATTEMPTS = 1
        outbox.add(yesterday())
        outbox.claim()
        let_pass(seconds=2 * Conf.TIMEOUT + 1)
        assert jobs.send_digest() == 0
        assert Digest.objects.get().state == "given up"


@pytest.mark.django_db(transaction=True)
def test_workers_that_are_killed_send_it_under_one_id(by_smtp):
    """The worst moment: the server has the whole message, and the worker dies before it has the answer."""
    with serving_mail(hold=True) as server:
        for _ in range(3):
            server.has_read.clear()
            worker = worker_that_sends(server.port)
            assert server.has_read.wait(120)
            assert Digest.objects.get().state == "waiting"
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
            let_pass(hours=1)
        server.may_answer.set()
        by_smtp(server)
        assert jobs.send_digest() == 1
        assert jobs.send_digest() == 0
    digest = Digest.objects.get()
    assert (digest.state, digest.attempts) == ("sent", 4)
    assert {message["Message-ID"] for message in server.messages} == {f"<{digest.key}@vigilpay>"}
    assert len(server.messages) == 4


def worker_that_sends(port):
    job = [sys.executable, "manage.py", "shell", "--command", "from events import jobs; jobs.send_digest()"]
    environment = {
        **os.environ,
        "DATABASE_URL": url_of_test_database(),
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": str(port),
        "VIGILPAY_DIGEST": "daily",
        "VIGILPAY_DIGEST_RECIPIENTS": "ann@example.org",
    }
    return subprocess.Popen(job, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
