"""Staff see which digests were sent, and send again what was given up."""

import re
from datetime import date

import pytest
from django.contrib.messages import get_messages

from events.models.digest import Digest
from tests.staff import logged_in

pytestmark = pytest.mark.django_db

PAGE = "/admin/events/digest/"


@pytest.fixture
def given_up():
    return Digest.objects.create(
        kind="weekly", first_day=date(2026, 11, 16), state="given up", attempts=7, error="OSError: no answer"
    )


def words(client):
    page = client.get(PAGE).content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


def retry(client, digest):
    return client.post(PAGE, {"action": "try_again", "_selected_action": [digest.pk]})


def test_the_list_has_period_state_and_error(given_up):
    found = words(logged_in("bob", "view_digest"))
    assert "16 Nov 2026 to 22 Nov 2026 Weekly Given up 7" in found
    assert "OSError: no answer" in found


def test_with_the_right_to_change_it_is_sent_again(given_up):
    response = retry(logged_in("eve", "change_digest"), given_up)
    assert [str(it) for it in get_messages(response.wsgi_request)] == ["1 digest will be sent again within 15 minutes."]
    given_up.refresh_from_db()
    assert (given_up.state, given_up.attempts) == ("waiting", 0)


def test_with_the_right_to_see_alone_it_is_not(given_up):
    retry(logged_in("bob", "view_digest"), given_up)
    given_up.refresh_from_db()
    assert given_up.state == "given up"
