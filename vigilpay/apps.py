"""The application that joins the rooms: commands and checks that concern the whole house."""

from django.apps import AppConfig


class VigilPayConfig(AppConfig):
    name = "vigilpay"

    def ready(self) -> None:
        from vigilpay import checks  # noqa: F401  registers the checks
