"""Whose risk has risen within the last days: where the filters of the list look."""

from django.db import models
from django.db.models import Q


class RecentMove(models.Model):
    """A customer whose risk had risen notably when the last search was made, and the score that the days began with.

    A hint, as a mark is: whether it has risen still stands in the customer's row. ``customers/portfolio/moves.py`` has
    both.
    """

    # Not a foreign key: it would be checked for every row that a search finds, and the search finds customers alone.
    customer_id = models.BigIntegerField(primary_key=True)
    score_before = models.FloatField(help_text="The score that stood when the days began.")
    until = models.DateTimeField(help_text="From then on other days count, which may begin with another score.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"recent move of customer {self.customer_id}"


class MoveSearch(models.Model):
    """When the last search for recent moves was made, and what it took. One row."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    searched_at = models.DateTimeField()
    took_seconds = models.FloatField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="move_search_has_one_row")]

    def __str__(self) -> str:
        return f"search for recent moves at {self.searched_at:%Y-%m-%d %H:%M:%S}"
