"""The one row that holds the lease."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from events.models.engine import Watch

pytestmark = pytest.mark.django_db


def test_there_can_be_no_second_row():
    with pytest.raises(IntegrityError, match='"watch_has_one_row"'), transaction.atomic():
        Watch.objects.create(id=2, awake_until=timezone.now())


def test_it_says_until_when():
    moment = timezone.now()
    assert str(Watch(awake_until=moment)) == f"awake until {moment}"
