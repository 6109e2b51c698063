"""Digests that would not be sent are announced by the system checks."""

import pytest

from events.digest.checks import digest_can_be_sent


@pytest.fixture(autouse=True)
def set_up(settings):
    settings.DIGEST = "weekly"
    settings.DIGEST_RECIPIENTS = ["ann@example.org"]
    settings.EMAIL_HOST = "mail.example.org"


def faults():
    return [fault.id for fault in digest_can_be_sent()]


def test_one_that_is_set_up_has_no_fault():
    assert faults() == []


def test_a_recipient_that_is_no_address_is_an_error_even_while_it_is_off(settings):
    settings.DIGEST_RECIPIENTS = ["ann@example.org", "bob"]
    settings.DIGEST = "off"
    [fault] = digest_can_be_sent()
    assert fault.msg == "VIGILPAY_DIGEST_RECIPIENTS: bob is not an e-mail address."


def test_without_recipients_it_is_an_error_unless_it_is_off(settings):
    settings.DIGEST_RECIPIENTS = []
    assert faults() == ["events.E006"]
    settings.DIGEST = "off"
    assert faults() == []


def test_scores_must_be_kept_for_longer_than_its_period(settings):
    settings.HISTORY_DAYS = 7
    assert faults() == ["events.E007"]
    settings.DIGEST = "daily"
    assert faults() == []


def test_without_a_mail_server_there_is_a_warning(settings):
    settings.EMAIL_HOST = ""
    assert faults() == ["events.W003"]
