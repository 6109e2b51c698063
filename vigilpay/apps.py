"""The application that joins the rooms: commands and checks that concern the whole house."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class VigilPayConfig(AppConfig):
    name = "vigilpay"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from vigilpay import checks, statement_timeout  # noqa: F401  registers the checks

        connection_created.connect(statement_timeout.limit, dispatch_uid="vigilpay.statement_timeout")


class VigilPayAdminConfig(AdminConfig):
    """Django's admin on a site of ours."""

    default_site = "vigilpay.admin_site.VigilPaySite"
