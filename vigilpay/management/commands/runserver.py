"""The development server, without connections left behind, and with a word where the database is away."""

import socket

from django.core.servers.basehttp import WSGIServer
from django.db import OperationalError, connections
from whitenoise.runserver_nostatic.management.commands.runserver import Command as RunserverCommand

from vigilpay.processes import exits


class Server(WSGIServer):
    """Gives back the database connections of a thread with its last request.

    Django's development server takes a new thread for every client connection, and with CONN_MAX_AGE each keeps its
    connections until Python happens to collect it: a few clients at once used up all that PostgreSQL has.
    """

    def close_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        connections.close_all()
        super().close_request(request)


class Command(RunserverCommand):  # type: ignore[misc]  # whitenoise has no types
    server_cls = Server

    def check_migrations(self) -> None:
        """Serve all the same without a database: the views say so, until it is there."""
        try:
            super().check_migrations()
        except OperationalError as error:
            self.stderr.write(exits.describe_error(error))
