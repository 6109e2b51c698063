"""An outage is told of twice: at its beginning and at its end."""

import pytest

from events.worker.outage import Outage


@pytest.fixture
def outage():
    return Outage("Somebody")


def test_it_is_told_once_however_often_somebody_tries(outage, caplog):
    for _ in range(5):
        outage.lost(OSError("no such server\n"))
    assert caplog.messages == ["Somebody lost PostgreSQL and tries until it is back: no such server"]
    assert outage.is_on


def test_its_end_is_told_once_too(outage, caplog):
    outage.lost(OSError("no such server"))
    caplog.clear()
    outage.over()
    outage.over()
    [message] = caplog.messages
    assert message.startswith("Somebody has PostgreSQL again, after 0.")
    assert not outage.is_on


def test_where_none_was_nothing_is_over(outage, caplog):
    outage.over()
    assert caplog.messages == []


def test_the_next_is_told_again(outage, caplog):
    for _ in range(2):
        outage.lost(OSError("away"))
        outage.over()
    assert len(caplog.messages) == 4
