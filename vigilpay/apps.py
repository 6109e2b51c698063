"""The application that joins the rooms: commands, checks and roles that concern the whole house."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class VigilPayConfig(AppConfig):
    name = "vigilpay"

    def ready(self) -> None:
        from vigilpay import checks, roles  # noqa: F401  registers the checks

        # Not our own turn, which comes first: the rooms' permissions are made before that of `auth`.
        post_migrate.connect(roles.fill_groups, sender=apps.get_app_config("auth"), dispatch_uid="vigilpay.fill_groups")
