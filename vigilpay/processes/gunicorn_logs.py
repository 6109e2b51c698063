"""The log lines of gunicorn itself, by the rules of our own; named in ``gunicorn.conf.py``."""

import logging
from typing import Any

from gunicorn.glogging import Logger

from vigilpay.processes.logs import LineFormatter


class EscapingLogger(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """An address or a header of a request can't forge a line of the access log, or of the error log."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                handler.setFormatter(escaping(handler.formatter))


def escaping(formatter: logging.Formatter | None) -> logging.Formatter:
    """The same format, escaped. A formatter of another class, as an operator may name one, is left alone."""
    if formatter is None:
        return LineFormatter()
    if type(formatter) is not logging.Formatter:
        return formatter
    return LineFormatter(formatter._fmt, formatter.datefmt)
