"""Scores of the past with what became of their customers, who need not be there any more."""

import random
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from customers.models import Outcome, ScoreRecord
from tests.factories import random_fields


def make_past(
    number: int, *, scored_on: date, release: int, known_until: date, seed: int = 1, first_id: int = 10**6, **fields
):
    """Records of so many customers, noon of that day, of whom as many leave as their scores say, thirty days later.

    What is known of a customer already stays.
    """
    pick = random.Random(seed)
    at = timezone.make_aware(datetime.combine(scored_on, time(12)))
    records = [
        ScoreRecord(
            customer_id=first_id + place,
            score=pick.random(),
            version=1,
            scored_by_id=release,
            cause="created",
            scored_at=at,
            **{**random_fields(pick), **fields},
        )
        for place in range(number)
    ]
    ScoreRecord.objects.bulk_create(records)
    leaving = {record.customer_id for record in records if pick.random() < record.score}
    day = scored_on + timedelta(days=30)
    outcomes = [
        Outcome(customer_id=record.customer_id, left_on=day)
        if record.customer_id in leaving
        else Outcome(customer_id=record.customer_id, stayed_until=known_until)
        for record in records
    ]
    Outcome.objects.bulk_create(outcomes, ignore_conflicts=True)
    return records, leaving
