"""Rules and scores made up, so that alerts can be counted on."""

from django.db import connection, transaction

from customers.models import Customer, ModelRelease
from customers.releases.active import active_model
from customers.scoring import scorer
from customers.scoring.claims import Claim, claim_one
from events.models.alerts import AlertRule, Delivery
from tests.factories import answers, edit


def threshold(at=0.5, **fields):
    return AlertRule.objects.create(**{"name": "high risk", "kind": "threshold", "threshold": at, **fields})


def rise(by=0.2, days=30, **fields):
    return AlertRule.objects.create(**{"name": "rising", "kind": "rise", "rise": by, "days": days, **fields})


def store(customer: Customer, score: float, cause: str = "") -> None:
    """Have the scorer store this score for the customer as the row is."""
    _, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
        claim = claim_one(cursor, customer.pk)
        assert scorer.store(cursor, claim, answers(score), release, cause).rows == 1


def scores(customer: Customer, *numbers: float) -> None:
    """These scores one after the other, an edit before each."""
    for number in numbers:
        credit_score = Customer.objects.get(pk=customer.pk).credit_score
        edit(customer, credit_score=credit_score + 1 if credit_score < 900 else 300)
        store(customer, number)


def store_together(numbers: dict[int, float]) -> None:
    """A score for each id, all in one statement, as a drain does."""
    _, release = active_model()
    with transaction.atomic(), connection.cursor() as cursor, scorer.scorer_rights(cursor):
        claims = [claim_one(cursor, key) for key in numbers]
        claim = Claim(
            ids=[one.ids[0] for one in claims],
            versions=[one.versions[0] for one in claims],
            features=[one.features[0] for one in claims],
        )
        assert scorer.store(cursor, claim, answers(*numbers.values()), release).rows == len(numbers)


def another_release() -> ModelRelease:
    """The same model, released once more: every score is stale by it."""
    _, active = active_model()
    whole = ModelRelease.objects.get(pk=active.pk)
    return ModelRelease.objects.create(
        sha256=whole.sha256, fingerprint=whole.fingerprint, metadata=whole.metadata, note="once more"
    )


def message(rule: AlertRule, channel: str) -> Delivery:
    """The only message of this rule by this channel."""
    return Delivery.objects.get(rule=rule, channel=channel)
