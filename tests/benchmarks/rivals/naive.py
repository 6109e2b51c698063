"""The usual way: post_save queues one django-q task per row; the task asks scikit-learn and saves.

Written as a good project would write it: the forest is unpickled once per worker process, the task takes an id and not
an instance, and the table has no more columns and indexes than such a project needs. It runs on django-q2's stock
PostgreSQL broker with our settings of the queue, which lose no acknowledgements.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import joblib
from django.conf import settings
from django.db import connection, models
from django.db.models.signals import post_save
from django.utils import timezone
from django_q.tasks import async_task

from customers.ml_service.schema import FEATURES

TASK = f"{__name__}.score"
CODES = {"France": 0, "Germany": 1, "Spain": 2, "Female": 0, "Male": 1}
COPY = f"""
INSERT INTO rival_customer (customer_id, {", ".join(FEATURES)})
SELECT customer_id, {", ".join(FEATURES)} FROM customers_customer ORDER BY customer_id LIMIT %s
"""


class RivalCustomer(models.Model):
    customer_id = models.BigIntegerField(primary_key=True)
    credit_score = models.SmallIntegerField()
    geography = models.CharField(max_length=10)
    gender = models.CharField(max_length=6)
    age = models.SmallIntegerField()
    tenure = models.SmallIntegerField()
    balance = models.DecimalField(max_digits=15, decimal_places=2)
    num_of_products = models.SmallIntegerField()
    has_cr_card = models.BooleanField()
    is_active_member = models.BooleanField()
    churn_risk_score = models.FloatField(null=True, db_index=True)
    scored_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "rivals"  # no installed app: the table lives as long as the scratch database
        managed = False
        db_table = "rival_customer"

    def __str__(self) -> str:
        return f"customer {self.customer_id}"


def set_up(customers: int) -> None:
    """Make the table anew, with that many of our customers."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS rival_customer")
    with connection.schema_editor() as editor:
        editor.create_model(RivalCustomer)
    with connection.cursor() as cursor:
        cursor.execute(COPY, [customers])


@contextmanager
def listening_to_saves(first: Callable[[], object] | None = None) -> Iterator[None]:
    """In the process that edits, and only there: the task's own save must not queue the next task.

    ``first`` is called in front of that, when the edit has just been committed.
    """

    def saved(instance: RivalCustomer, **kwargs: Any) -> None:
        if first is not None:
            first()
        async_task(TASK, instance.pk)

    post_save.connect(saved, sender=RivalCustomer)
    try:
        yield
    finally:
        post_save.disconnect(saved, sender=RivalCustomer)


@lru_cache(maxsize=1)
def forest() -> Any:
    return joblib.load(settings.ML_ASSETS_DIR / "model.pkl")


def score(customer_id: int) -> None:
    """The task."""
    customer = RivalCustomer.objects.get(pk=customer_id)
    values = [getattr(customer, field) for field in FEATURES]
    row = [float(CODES.get(value, value)) for value in values]
    customer.churn_risk_score = float(forest().predict_proba([row])[0][1])
    customer.scored_at = timezone.now()
    customer.save()
