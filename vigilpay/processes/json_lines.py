"""Log lines as JSON objects, one a line, for machines that collect them: ``VIGILPAY_LOG_FORMAT=json``."""

import json
import logging
from datetime import UTC, datetime

# What the context adds to a record where it is known: vigilpay/web/log_context.py.
CONTEXT = ("request_id", "job_id", "job", "customer_id")


class JsonLines(logging.Formatter):
    """Time (UTC), level, logger, message; ids of request, job and customer where known; the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in CONTEXT if (value := getattr(record, name, None))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Control characters are escaped, so that no value can begin a line of its own; and so is all but ASCII.
        return json.dumps(line, default=str)
