"""Log lines as JSON objects, one a line, for machines that collect them: ``VIGILPAY_LOG_FORMAT=json``."""

import json
import logging
import re
from datetime import UTC, datetime

# What the context adds to a record where it is known: vigilpay/log_context.py.
CONTEXT = ("request_id", "job_id", "job", "customer_id")
# What PostgreSQL quotes of the row that a statement failed on; its lines may go on.
ROW_CONTENT = re.compile(r"^(DETAIL|CONTEXT|HINT): .*\n?(?:(?!\S+: |\S+Error|Traceback|  File ).*\n?)*", re.MULTILINE)


class JsonLines(logging.Formatter):
    """Time (UTC), level, logger, message; ids of request, job and customer where known; the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": without_row_content(record.getMessage()),
        }
        line |= {name: value for name in CONTEXT if (value := getattr(record, name, None))}
        if record.exc_info:
            line["exception"] = without_row_content(self.formatException(record.exc_info))
        # Control characters are escaped, so that no value can begin a line of its own; and so is all but ASCII.
        return json.dumps(line, default=str)


def without_row_content(text: str) -> str:
    """An error or its traceback without what PostgreSQL says of rows: they hold names and balances."""
    return ROW_CONTENT.sub("", text).rstrip()
