"""The end of a token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from vigilpay.access import tokens


class Command(BaseCommand):
    help = "Revoke service tokens by their ids, as list_tokens shows them. They are refused from then on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ids", type=int, nargs="+", metavar="ID")

    def handle(self, *args: Any, ids: list[int], **options: Any) -> None:
        ended = tokens.revoke(ids)
        if not ended:
            raise CommandError("Nothing was revoked: none of these is a valid token. See list_tokens.")
        self.stdout.write("Revoked: " + ", ".join(f"{token.pk} ({token.name})" for token in ended))
