"""The feed of changed scores: which customers changed, in an order that misses none. docs/decisions/0034 says why."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models import Func, Q, TextField
from django.db.models.functions import Cast, Now


def current_transaction() -> Cast:
    """The id of the writing transaction, as a number that is never used again in this cluster."""
    return Cast(
        Cast(Func(function="pg_current_xact_id", output_field=TextField()), TextField()), models.BigIntegerField()
    )


class ScoreChange(models.Model):
    """Customers whose score was stored, or who left the table. Written by triggers alone, in the same transaction.

    It names the customers and nothing else: what the score is now stands in their rows. Transactions end in another
    order than they begin, so the order of the feed is that of their ids, up to the oldest that is still open.
    """

    transaction_id = models.BigIntegerField(db_default=current_transaction(), editable=False)
    customer_ids = ArrayField(models.BigIntegerField())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["transaction_id", "id"], name="score_change_order")]

    def __str__(self) -> str:
        return f"change of {len(self.customer_ids)} customers in transaction {self.transaction_id}"


class FeedEpoch(models.Model):
    """Since when positions in the feed hold. One row, in a table that is not logged.

    A crash, a promotion, or a recovery to a former time may take back what a reader has seen already, and each of them
    empties the table; a dump that is restored brings another database's row. The next reader begins another epoch then,
    and every former position is refused.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    identity = models.CharField(max_length=100, help_text="Of the cluster, the database and the table of changes.")
    token = models.UUIDField(db_default=RandomUUID(), help_text="Begins each position of this epoch.")
    # A dump brings changes whose transactions were another cluster's, and may be numbers that are still to come here.
    last_foreign_change = models.BigIntegerField(help_text="The newest change that was there before.")
    first_transaction = models.BigIntegerField(help_text="The first id that no transaction had before.")
    # The last place from which changes were deleted.
    pruned_transaction = models.BigIntegerField(default=0, db_default=0)
    pruned_change = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="feed_epoch_has_one_row")]

    def __str__(self) -> str:
        return f"epoch {self.token}"
