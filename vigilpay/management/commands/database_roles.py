"""The roles of the database."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vigilpay.database_roles import comparison, grants
from vigilpay.database_roles.names import Names, RoleNameError
from vigilpay.database_roles.rights import NoRightsError


class Command(BaseCommand):
    help = "Compare the rights of the database roles with those they should have; exits with 1 if they differ."
    requires_system_checks = ()  # it mends what they may complain of

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sql", action="store_true", help="print the statements that set these rights, for psql")
        parser.add_argument("--web", default="vigilpay_web", metavar="NAME", help="role of web pages (%(default)s)")
        parser.add_argument("--worker", default="vigilpay_worker", metavar="NAME", help="of the worker (%(default)s)")
        parser.add_argument(
            "--application",
            default="bank_application",
            metavar="NAME",
            help="of the programs that edit customers (%(default)s)",
        )
        parser.add_argument(
            "--owner",
            default="",
            metavar="NAME",
            help="make this role the owner of the tables; otherwise their owner stays",
        )

    def handle(
        self, *args: Any, sql: bool, web: str, worker: str, application: str, owner: str, **options: Any
    ) -> None:
        try:
            names = Names(web, worker, application, owner)
            if not comparison.is_migrated():
                raise CommandError("There are no tables yet: run manage.py migrate as their owner first.")
            if sql:
                self.print_sql(names)
            else:
                self.compare(names)
        except (NoRightsError, RoleNameError) as error:
            raise CommandError(str(error)) from error

    def print_sql(self, names: Names) -> None:
        database, schema = comparison.place()
        for statement in grants.statements(names, database=database, schema=schema):
            self.stdout.write(statement)

    def compare(self, names: Names) -> None:
        faults = comparison.faults(names)
        for fault in faults:
            self.stdout.write(fault)
        if faults:
            raise CommandError("These rights differ. To correct them, run as the owner: manage.py database_roles --sql")
        self.stdout.write(
            f"{names.worker} may store scores. {names.web} and {names.application} may edit customers, and store none."
        )
