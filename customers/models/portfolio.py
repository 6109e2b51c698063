"""How the risk of all customers, and of groups of them, stood on each day."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class PortfolioSnapshot(models.Model):
    """One group of customers as it was when the snapshot of a day was taken. It names no customer.

    Each dimension divides all customers: the figures of its groups add up to those of ``ALL``. A customer without a
    score, such as one who has objected to profiling, counts in ``customers`` alone.
    """

    class Dimension(models.TextChoices):
        ALL = "all", "All customers"
        COUNTRY = "country", "Country"
        PRODUCTS = "products", "Products"
        ACTIVITY = "activity", "Active member"
        BALANCE = "balance", "Balance"

    day = models.DateField(help_text="In the bank's time zone.")
    taken_at = models.DateTimeField()
    dimension = models.CharField(max_length=8, choices=Dimension)
    group = models.CharField(
        max_length=100,
        blank=True,
        help_text="A value of that field; of the balance the lower bound of the class, or 'none' for no balance.",
    )
    customers = models.PositiveBigIntegerField()
    bands = ArrayField(models.PositiveBigIntegerField(), help_text="Scored customers of each risk band, lowest first.")
    thresholds = ArrayField(models.FloatField(), help_text="From which risk on a band began, without the lowest.")
    value_at_risk = models.DecimalField(max_digits=24, decimal_places=2)

    class Meta:
        ordering = ["-day", "dimension", "group"]
        verbose_name = verbose_name_plural = "portfolio"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["day", "dimension", "group"], name="portfolio_snapshot_group_once_a_day"),
        ]

    def __str__(self) -> str:
        return f"{self.dimension} {self.group} on {self.day}".replace("  ", " ") if self.day else "newest snapshot"

    @property
    def scored(self) -> int:
        return sum(self.bands)

    @property
    def critical(self) -> int:
        return self.bands[-1]

    @property
    def share_critical(self) -> float | None:
        """Of those with a score; None where no customer has one."""
        return self.critical / self.scored if self.scored else None
