"""An outage is logged twice: at its beginning and at its end."""

import pytest

from events.worker.outage import Outage


@pytest.fixture
def outage():
    return Outage("Some part")


def test_it_is_logged_once_however_often_it_is_tried(outage, caplog):
    for _ in range(5):
        outage.begin_after(OSError("no such server\n"))
    assert caplog.messages == ["Some part lost PostgreSQL and tries until it is back: no such server"]
    assert outage.is_on


def test_its_end_is_logged_once_too(outage, caplog):
    outage.begin_after(OSError("no such server"))
    caplog.clear()
    outage.end_if_on()
    outage.end_if_on()
    [message] = caplog.messages
    assert message.startswith("Some part has PostgreSQL again, after 0.")
    assert not outage.is_on


def test_where_none_was_nothing_is_over(outage, caplog):
    outage.end_if_on()
    assert caplog.messages == []


def test_the_next_is_logged_again(outage, caplog):
    for _ in range(2):
        outage.begin_after(OSError("away"))
        outage.end_if_on()
    assert len(caplog.messages) == 4
