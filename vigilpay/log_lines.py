"""What the log says, in as few lines as help."""

import logging


class Brief(logging.Filter):
    """A request that Django refuses, such as one with a wrong Host header, is one line: a traceback is of no use."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None
        return True
