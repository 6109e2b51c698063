"""The tokens of programs."""

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone


class Scope(models.TextChoices):
    """What a program may do with its token."""

    READ = "read", "read: customers, their scores and reasons"
    SCORE = "score", "score: score customers"
    IMPORT = "import", "import: change customers"
    OPERATE = "operate", "operate: freshness and figures of the engine"


class ServiceTokenQuerySet(models.QuerySet["ServiceToken"]):
    def ended_before(self, moment: datetime) -> "ServiceTokenQuerySet":
        """Those that had expired or were revoked by then."""
        return self.filter(Q(expires_at__lt=moment) | Q(revoked_at__lt=moment))


class ServiceToken(models.Model):
    """What a program shows to be let in. Its secret is not stored, only the secret's digest: ``tokens.py``."""

    name = models.CharField(max_length=100, help_text="The program that uses it, for example: nightly campaign export.")
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of the secret, in hex.")
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices), help_text="What the program may do.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    created_by = models.CharField(max_length=150, editable=False, help_text="The user or the command.")
    expires_at = models.DateTimeField(help_text="The token is refused from this time on.")
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="Accurate to the minute.")
    revoked_at = models.DateTimeField(null=True, editable=False)

    objects = ServiceTokenQuerySet.as_manager()

    class Meta:
        # Without "delete", which superusers alone may: a token that has ended still says who had access.
        default_permissions = ("add", "change", "view")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values) & Q(scopes__len__gte=1),
                name="servicetoken_scopes_are_known",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at <= timezone.now() else "active"

    def was_used_within(self, spell: timedelta) -> bool:
        return self.last_used_at is not None and timezone.now() - self.last_used_at < spell
