"""Messages on alerts: each is sent once, to the right people, or again, or given up where all staff see it."""

import hmac
import logging
import socket
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django_q.conf import Conf

from customers.models import Customer
from events import jobs
from events.alerts import outbox, sending
from events.alerts.retention import prune_alerts
from events.freshness.queries import freshness
from events.models.alerts import Alert, Delivery
from tests.events.alerts.alerting import message, rise, scores, store, store_together, threshold
from tests.events.alerts.receiver import receiving
from tests.factories import make_customer, make_customers
from tests.others import meanwhile, together

pytestmark = pytest.mark.django_db

SECRET = "whsec_" + b64encode(b"thirty-two bytes that are secret").decode()


@pytest.fixture(autouse=True)
def set_up(settings):
    settings.EMAIL_HOST = "mail.example.org"
    settings.WEBHOOK_SECRET = SECRET
    settings.WEBHOOK_URL = ""
    settings.SITE_URL = ""


@pytest.fixture
def receiver(settings):
    with receiving() as receiver:
        settings.WEBHOOK_URL = receiver.url
        yield receiver


def by_mail(**fields):
    return threshold(0.5, recipients="ann@example.org, bob@example.org", **fields)


def by_webhook(**fields):
    return threshold(0.5, by_webhook=True, **fields)


def let_pass(**span):
    """As if so much time had passed."""
    for name in ("due_at", "first_tried_at", "created_at", "ended_at"):
        Delivery.objects.update(**{name: F(name) - timedelta(**span)})


def dribble(server):
    """Answer for as long as there is a reader, and come to no end."""
    connection, _ = server.accept()
    with connection, suppress(OSError):
        connection.sendall(b"HTTP/1.1 2")
        for _ in range(2000):
            time.sleep(0.01)
            connection.sendall(b"0")


class TestEmail:
    def test_it_tells_the_recipients_of_the_rule_what_happened(self):
        by_mail()
        customer = make_customer(surname="Secret")
        scores(customer, 0.4, 0.6)
        assert jobs.send_alerts() == 1
        [mailed] = mail.outbox
        assert mailed.to == ["ann@example.org", "bob@example.org"]
        assert mailed.subject == "VigilPay: 1 alert: high risk"
        assert "high risk: Risk reaches 50\N{NO-BREAK SPACE}%." in mailed.body
        assert f"Customer {customer.pk}: 60.0\N{NO-BREAK SPACE}%, 40.0\N{NO-BREAK SPACE}% before; " in mailed.body
        assert "Secret" not in mailed.body
        assert message(Alert.objects.get().rule, "e-mail").state == "sent"

    def test_a_rise_says_by_how_much_and_the_site_where_to_look(self, settings):
        settings.SITE_URL = "https://churn.example.org/"
        rise(0.2, recipients="ann@example.org")
        scores(make_customer(), 0.1, 0.6)
        jobs.send_alerts()
        assert "rising: Risk rises by more than 20 points within 30 days." in mail.outbox[0].body
        assert "https://churn.example.org/admin/events/alert/" in mail.outbox[0].body

    def test_nothing_is_sent_twice(self):
        by_mail()
        store(make_customer(), 0.9)
        assert (jobs.send_alerts(), jobs.send_alerts(), len(mail.outbox)) == (1, 0, 1)

    def test_a_burst_is_one_mail_that_names_a_few_and_counts_the_rest(self):
        by_mail()
        for _ in range(3):
            store_together({person.pk: 0.9 for person in make_customers(10)})
        assert jobs.send_alerts() == 1
        [mailed] = mail.outbox
        assert mailed.subject == "VigilPay: 30 alerts: high risk"
        assert mailed.body.count("Customer ") == 20
        assert "and 10 more" in mailed.body
        assert sorted(Delivery.objects.values_list("state", flat=True)) == ["folded", "folded", "sent"]

    def test_what_comes_within_the_minute_after_is_told_together_at_its_end(self):
        by_mail()
        for _ in range(3):
            store(make_customer(), 0.9)
            jobs.send_alerts()
        assert len(mail.outbox) == 1
        assert not outbox.anything_due()  # no poll is in vain meanwhile
        let_pass(seconds=61)
        assert jobs.send_alerts() == 1
        assert mail.outbox[1].subject == "VigilPay: 2 alerts: high risk"

    def test_one_rule_does_not_wait_for_another(self):
        by_mail()
        by_mail(name="the same")
        store(make_customer(), 0.9)
        assert jobs.send_alerts() == 2

    def test_every_attempt_bears_the_same_id(self, monkeypatch):
        by_mail()
        store(make_customer(), 0.9)
        tried = []

        def refuse(self, messages):
            tried.append(messages[0].extra_headers["Message-ID"])
            raise ConnectionRefusedError("no answer")

        monkeypatch.setattr(EmailBackend, "send_messages", refuse)
        jobs.send_alerts()
        let_pass(hours=1)
        store(make_customer(), 0.9)  # is not folded into what was tried before
        jobs.send_alerts()
        delivery = Delivery.objects.get(attempts=2)
        assert tried[:2] == [f"<{delivery.key}@vigilpay>"] * 2
        assert delivery.error == "ConnectionRefusedError: no answer"
        assert delivery.alerts == 1

    def test_without_a_mail_server_the_message_says_so(self, settings):
        settings.EMAIL_HOST = ""
        by_mail()
        store(make_customer(), 0.9)
        assert jobs.send_alerts() == 0
        assert "EMAIL_HOST is not set" in Delivery.objects.get().error

    def test_a_name_of_several_lines_is_no_header_of_its_own(self):
        by_mail(name="one\nBcc: eve@example.org")
        store(make_customer(), 0.9)
        jobs.send_alerts()
        assert mail.outbox[0].subject == "VigilPay: 1 alert: one Bcc: eve@example.org"


class TestWebhook:
    def test_it_is_posted_and_signed(self, receiver):
        rule = by_webhook()
        customer = make_customer(surname="Secret")
        scores(customer, 0.4, 0.6)
        assert jobs.send_alerts() == 1
        [(path, headers, body)] = receiver.requests
        alert = Alert.objects.get()
        assert path == "/hook"
        assert b"Secret" not in body
        assert receiver.bodies()[0]["type"] == "alerts.raised"
        assert receiver.bodies()[0]["data"] == {
            "rule": {"id": rule.pk, "name": "high risk", "kind": "threshold"},
            "count": 1,
            "alerts": [
                {
                    "id": alert.pk,
                    "customer_id": customer.pk,
                    "score": 0.6,
                    "score_before": 0.4,
                    "raised_at": alert.raised_at.isoformat(),
                }
            ],
        }
        assert headers["webhook-id"] == str(message(rule, "webhook").key)
        assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
        # As the standard has it, word for word.
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = hmac.new(b64decode(SECRET.removeprefix("whsec_")), signed, "sha256").digest()
        assert headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"

    def test_a_plain_secret_is_the_key_itself(self, receiver, settings):
        settings.WEBHOOK_SECRET = "a plain secret that is long enough"
        by_webhook()
        store(make_customer(), 0.9)
        jobs.send_alerts()
        [(_, headers, body)] = receiver.requests
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = hmac.new(settings.WEBHOOK_SECRET.encode(), signed, "sha256").digest()
        assert headers["webhook-signature"] == f"v1,{b64encode(expected).decode()}"

    def test_what_waits_is_posted_together_and_no_alert_is_left_out(self, receiver, monkeypatch):
        monkeypatch.setattr(outbox, "WEBHOOK_ALERTS", 10)
        by_webhook()
        for _ in range(5):
            store_together({person.pk: 0.9 for person in make_customers(4)})
        assert jobs.send_alerts() == 3
        assert [body["data"]["count"] for body in receiver.bodies()] == [8, 8, 4]
        told = [alert["id"] for body in receiver.bodies() for alert in body["data"]["alerts"]]
        assert sorted(told) == sorted(Alert.objects.values_list("id", flat=True))

    def test_a_batch_larger_than_that_is_posted_whole(self, receiver, monkeypatch):
        monkeypatch.setattr(outbox, "WEBHOOK_ALERTS", 3)
        by_webhook()
        store_together({person.pk: 0.9 for person in make_customers(5)})
        assert jobs.send_alerts() == 1
        assert len(receiver.bodies()[0]["data"]["alerts"]) == 5

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_is_not_followed(self, settings, status):
        with receiving(status) as receiver:
            settings.WEBHOOK_URL = receiver.url
            by_webhook()
            store(make_customer(), 0.9)
            assert jobs.send_alerts() == 0
        assert len(receiver.requests) == 1
        assert "a redirect, which is not followed" in Delivery.objects.get().error

    def test_it_is_tried_again_after_growing_pauses_under_the_same_id(self, settings):
        with receiving(500, 503, 204) as receiver:
            settings.WEBHOOK_URL = receiver.url
            by_webhook()
            store(make_customer(), 0.9)
            pauses = []
            for _ in range(3):
                jobs.send_alerts()
                assert jobs.send_alerts() == 0  # not before its time
                pauses.append(round((Delivery.objects.get().due_at - timezone.now()).total_seconds(), -1))
                let_pass(minutes=5)
        assert pauses[:2] == [10, 40]
        assert len({headers["webhook-id"] for _, headers, _ in receiver.requests}) == 1
        assert len(receiver.requests) == 3
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.attempts, delivery.error) == ("sent", 3, "")

    def test_a_receiver_that_says_nothing_is_left_after_a_while(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.2
        with socket.create_server(("127.0.0.1", 0)) as silent:
            settings.WEBHOOK_URL = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            by_webhook()
            store(make_customer(), 0.9)
            assert jobs.send_alerts() == 0
        assert Delivery.objects.get().error == "TimeoutError: timed out"

    def test_so_is_one_that_speaks_a_letter_at_a_time(self, settings):
        settings.WEBHOOK_TIMEOUT_SECONDS = 0.5
        with socket.create_server(("127.0.0.1", 0)) as slow:
            settings.WEBHOOK_URL = f"http://127.0.0.1:{slow.getsockname()[1]}/"
            by_webhook()
            store(make_customer(), 0.9)
            with meanwhile(lambda: dribble(slow)):
                assert jobs.send_alerts() == 0
        assert Delivery.objects.get().attempts == 1

    def test_production_sends_over_https_only(self, receiver, settings):
        settings.PRODUCTION = True
        by_webhook()
        store(make_customer(), 0.9)
        assert jobs.send_alerts() == 0
        assert receiver.requests == []
        assert "https://" in Delivery.objects.get().error

    def test_neither_log_nor_page_tell_address_or_secret(self, settings, caplog):
        settings.WEBHOOK_URL = "http://127.0.0.1:1/hooks/token-of-the-receiver"
        by_webhook()
        store(make_customer(), 0.9)
        with caplog.at_level(logging.DEBUG):
            jobs.send_alerts()
        told = caplog.text + Delivery.objects.get().error
        assert "was not taken (attempt 1 of 7), it will be tried again" in told
        assert "token-of-the-receiver" not in told
        assert SECRET not in told


class TestNeverLostNeverTwice:
    def test_after_the_last_attempt_it_is_given_up_and_freshness_says_so(self, settings, caplog):
        settings.ALERT_ATTEMPTS = 2
        with receiving(500) as receiver:
            settings.WEBHOOK_URL = receiver.url
            by_webhook()
            store(make_customer(), 0.9)
            for _ in range(4):
                jobs.send_alerts()
                let_pass(hours=1)
            assert len(receiver.requests) == 2
        delivery = Delivery.objects.get()
        assert (delivery.state, delivery.error) == ("given up", "DeliveryError: The receiver answered 500.")
        assert "it is given up" in caplog.text
        assert freshness().messages_given_up == 1
        assert any("1 alert message was not sent" in warning for warning in freshness().warnings)

    def test_one_that_was_given_up_can_be_tried_again(self, receiver):
        by_webhook()
        store(make_customer(), 0.9)
        Delivery.objects.update(state="given up", attempts=7, ended_at=timezone.now())
        assert outbox.try_again(Delivery.objects.all()) == 1
        assert jobs.send_alerts() == 1
        assert freshness().messages_given_up == 0

    def test_a_worker_that_dies_between_claim_and_sending_loses_nothing(self, receiver):
        by_webhook()
        store(make_customer(), 0.9)
        assert outbox.claim() is not None
        assert jobs.send_alerts() == 0  # no other worker while the first may be at work
        let_pass(seconds=2 * Conf.TIMEOUT + 1)
        assert jobs.send_alerts() == 1

    def test_whose_last_attempt_died_with_its_worker_is_given_up(self, settings, receiver):
        settings.ALERT_ATTEMPTS = 1
        by_webhook()
        store(make_customer(), 0.9)
        outbox.claim()
        let_pass(seconds=2 * Conf.TIMEOUT + 1)
        assert jobs.send_alerts() == 0
        assert Delivery.objects.get().state == "given up"
        assert receiver.requests == []

    @pytest.mark.django_db(transaction=True)
    def test_jobs_at_the_same_time_send_each_message_once(self, receiver, monkeypatch):
        monkeypatch.setattr(outbox, "WEBHOOK_ALERTS", 1)
        by_webhook()
        for person in make_customers(20):
            store(person, 0.9)
        assert sum(together(*[sending.send_what_is_due] * 4)) == 20
        told = [alert["id"] for body in receiver.bodies() for alert in body["data"]["alerts"]]
        assert sorted(told) == sorted(Alert.objects.values_list("id", flat=True))

    def test_one_message_that_fails_holds_up_no_other(self, receiver):
        threshold(0.5, recipients="ann@example.org", by_webhook=True)
        store(make_customer(), 0.9)
        Delivery.objects.filter(channel="e-mail").update(channel="webhook", rule=0)  # a rule that is not there any more
        assert jobs.send_alerts() == 1
        assert Delivery.objects.get(rule=0).error == "DoesNotExist"

    def test_an_alert_that_is_rolled_back_is_not_sent(self, receiver):
        by_webhook()
        with transaction.atomic():
            savepoint = transaction.savepoint()
            store(make_customer(), 0.9)
            transaction.savepoint_rollback(savepoint)
        assert jobs.send_alerts() == 0


class TestRetention:
    def test_what_is_done_is_forgotten_and_what_waits_for_staff_stays(self, settings):
        settings.HISTORY_DAYS = 99
        threshold(0.5, recipients="ann@example.org")
        for _ in range(3):
            store(make_customer(), 0.9)
        old, sent, open_ = Alert.objects.order_by("id")
        Alert.objects.filter(pk__in=[old.pk, sent.pk]).acknowledge("ann")
        Alert.objects.filter(pk=old.pk).update(acknowledged_at=timezone.now() - timedelta(days=100))
        long_ago = timezone.now() - timedelta(days=31)
        Delivery.objects.filter(batch=old.batch).update(state="sent", ended_at=long_ago)
        Delivery.objects.filter(batch=sent.batch).update(state="given up", ended_at=long_ago)
        jobs.prune_history()
        assert set(Alert.objects.all()) == {sent, open_}
        assert sorted(Delivery.objects.values_list("state", flat=True)) == ["given up", "waiting"]
        assert prune_alerts(timezone.now() - timedelta(days=99)) == 0


class TestObjections:
    def test_an_alert_on_a_customer_who_objects_before_it_is_sent_is_left_out(self):
        objector, other = make_customers(2)
        rule = by_mail()
        store_together({objector.pk: 0.9, other.pk: 0.8})
        Customer.objects.filter(pk=objector.pk).update(objected_at=timezone.now())
        assert sending.send_what_is_due() == 1
        [sent] = mail.outbox
        assert "1 alert:" in sent.subject
        assert f"Customer {other.pk}:" in sent.body
        assert f"Customer {objector.pk}:" not in sent.body
        assert message(rule, "e-mail").state == "sent"

    def test_so_is_one_by_webhook(self, receiver):
        objector, other = make_customers(2)
        by_webhook()
        store_together({objector.pk: 0.9, other.pk: 0.8})
        Customer.objects.filter(pk=objector.pk).update(objected_at=timezone.now())
        sending.send_what_is_due()
        [told] = receiver.bodies()
        assert [alert["customer_id"] for alert in told["data"]["alerts"]] == [other.pk]
        assert told["data"]["count"] == 1

    def test_a_message_that_has_nothing_left_to_report_is_not_sent(self):
        customer = make_customer()
        by_mail()
        store(customer, 0.9)
        Customer.objects.filter(pk=customer.pk).update(objected_at=timezone.now())
        assert sending.send_what_is_due() == 0
        assert (mail.outbox, Delivery.objects.count(), Alert.objects.count()) == ([], 0, 1)
