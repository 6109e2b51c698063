"""The log lines of gunicorn itself, by the rules of our own; named in ``gunicorn.conf.py``."""

import logging
from collections.abc import Mapping
from typing import Any

from gunicorn.glogging import Logger

from vigilpay.processes.logs import LineFormatter

WITH_QUERY = ("RAW_URI", "HTTP_REFERER")


class EscapingLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """An address or a header of a request can't forge a line of the access log, or of the error log; and what staff
    have searched for, which may be a surname, is in neither."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(escaping(handler.formatter))

    def atoms(self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: Any) -> Any:
        """What a format of the access log may name, addresses without what follows the question mark."""
        addresses = {name: str(environ[name]).partition("?")[0] for name in WITH_QUERY if name in environ}
        return super().atoms(resp, req, {**environ, **addresses, "QUERY_STRING": ""}, request_time)


def escaping(formatter: logging.Formatter | None) -> logging.Formatter:
    """The same format, escaped. A formatter of another class, as an operator may name one, is left alone."""
    if formatter is None:
        return LineFormatter()
    if type(formatter) is not logging.Formatter:
        return formatter
    return LineFormatter(formatter._fmt, formatter.datefmt)
