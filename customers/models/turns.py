"""Whose turn it is."""

from django.db import models


class Turn(models.Model):
    """Work that one session at a time may do, by its name: see ``customers/turns.py``."""

    name = models.CharField(max_length=20, primary_key=True)
    process = models.IntegerField(null=True, help_text="Of the session that has it for longer than a transaction.")
    began_at = models.DateTimeField(null=True, help_text="When that session began.")

    class Meta:
        app_label = "events"  # where its table came into being
        default_permissions = ()

    def __str__(self) -> str:
        return f"turn of {self.name}"
