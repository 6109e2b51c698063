"""The application that joins the rooms: commands, checks and roles that concern the whole house."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class VigilPayConfig(AppConfig):
    name = "vigilpay"
    verbose_name = "Access and audit"  # over the pages of its models

    def ready(self) -> None:
        from vigilpay import checks, roles, sessions  # noqa: F401  registers the checks
        from vigilpay.processes import database_errors
        from vigilpay.trail import retention
        from vigilpay.web import statement_timeout

        database_errors.leave_details_out()
        connection_created.connect(sessions.pin, dispatch_uid="vigilpay.sessions")
        connection_created.connect(statement_timeout.limit, dispatch_uid="vigilpay.statement_timeout")
        # Not our own turn, which comes first: the rooms' permissions are made before that of `auth`.
        post_migrate.connect(roles.fill_groups, sender=apps.get_app_config("auth"), dispatch_uid="vigilpay.fill_groups")
        post_migrate.connect(retention.ensure_pruning, sender=self, dispatch_uid="vigilpay.ensure_pruning")


class VigilPayAdminConfig(AdminConfig):
    """Django's admin on a site of ours."""

    default_site = "vigilpay.web.admin_site.VigilPaySite"
