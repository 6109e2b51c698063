"""Staff see which digests were sent, and send again what was given up."""

import re
from datetime import UTC, date, datetime

import pytest
from django.contrib.messages import get_messages

from events.models.digest import Digest
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/events/digest/"


@pytest.fixture(autouse=True)
def digests_are_on(settings):
    settings.DIGEST, settings.HISTORY_DAYS = "weekly", 36500


@pytest.fixture
def given_up():
    return Digest.objects.create(
        kind="weekly",
        first_day=date(2026, 11, 16),
        state="given up",
        attempts=7,
        error="OSError: no answer",
        ended_at=datetime(2026, 11, 23, 18, 30, tzinfo=UTC),
    )


def words(client):
    page = client.get(PAGE).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def retry(client, digest):
    return client.post(PAGE, {"action": "try_again", "_selected_action": [digest.pk]})


def test_the_list_has_period_state_and_error(given_up):
    found = words(logged_in("bob", "view_digest"))
    assert "16 Nov 2026 to 22 Nov 2026 Weekly Not sent, 23 Nov 2026, 18:30 7" in found
    assert "OSError: no answer" in found


def test_with_the_right_to_change_it_is_sent_again(given_up):
    response = retry(logged_in("eve", "change_digest"), given_up)
    [said] = get_messages(response.wsgi_request)
    assert str(said) == "1 digest will be sent again within 15 minutes."
    given_up.refresh_from_db()
    assert (given_up.state, given_up.attempts) == ("waiting", 0)


def test_while_digests_are_off_it_is_refused(settings, given_up):
    settings.DIGEST = "off"
    response = retry(logged_in("eve", "change_digest"), given_up)
    [said] = get_messages(response.wsgi_request)
    assert str(said) == "No digest was sent again: digests are off. Set VIGILPAY_DIGEST to daily or weekly first."
    given_up.refresh_from_db()
    assert given_up.state == "given up"


def test_one_whose_scores_are_no_longer_kept_is_refused(given_up):
    Digest.objects.update(first_day=date(1900, 1, 1))
    response = retry(logged_in("eve", "change_digest"), given_up)
    assert str(next(iter(get_messages(response.wsgi_request)))) == (
        "Digests whose scores are no longer kept are not sent again."
    )
    given_up.refresh_from_db()
    assert given_up.state == "given up"


def test_with_the_right_to_see_alone_it_is_not(given_up):
    retry(logged_in("bob", "view_digest"), given_up)
    given_up.refresh_from_db()
    assert given_up.state == "given up"


def test_one_that_waits_says_when_it_is_tried():
    digest = Digest.objects.create(kind="daily", first_day=date(2026, 11, 25))
    Digest.objects.update(due_at=datetime(2026, 11, 26, 0, 15, tzinfo=UTC))
    bob = logged_in("bob", "view_digest")
    assert "25 Nov 2026 Daily Waiting; next attempt 26 Nov 2026, 00:15 0" in words(bob)
    assert bob.get(f"{PAGE}{digest.pk}/change/").status_code == 200
