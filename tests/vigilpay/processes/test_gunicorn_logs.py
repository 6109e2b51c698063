"""Lines of gunicorn itself can't be forged either."""

import logging
import runpy
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

from django.utils.module_loading import import_string
from gunicorn.config import Config

from vigilpay.processes.gunicorn_logs import EscapingLogger, escaping
from vigilpay.processes.logs import LineFormatter

ROOT = Path(__file__).resolve().parents[3]


def test_the_file_that_gunicorn_reads_names_it():
    named = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["logger_class"]
    assert import_string(named) is EscapingLogger


def test_an_address_with_an_escape_is_one_visible_line_of_the_access_log(tmp_path):
    path = tmp_path / "access.log"
    config = Config()
    config.set("accesslog", str(path))
    logger = EscapingLogger(config)
    try:
        logger.access_log.info("GET /\x1b[2K\n1.2.3.4 - forged")
        logger.error_log.handlers[0].flush()
    finally:
        for handler in [*logger.access_log.handlers, *logger.error_log.handlers]:
            handler.close()
            logging.getLogger("gunicorn.access").removeHandler(handler)
            logging.getLogger("gunicorn.error").removeHandler(handler)
    assert path.read_text() == "GET /\\x1b[2K\\n1.2.3.4 - forged\n"


def test_what_was_searched_for_is_not_in_the_access_log():
    logger = EscapingLogger(Config())
    page = "/admin/customers/customer/?q=Zweifelhofer"
    environ = {"REQUEST_METHOD": "GET", "RAW_URI": page, "SERVER_PROTOCOL": "HTTP/1.1", "QUERY_STRING": page[26:]}
    environ |= {"HTTP_REFERER": f"https://churn.example.org{page}", "PATH_INFO": "/admin/customers/customer/"}
    answer, request = SimpleNamespace(status="200 OK", sent=5, headers=[]), SimpleNamespace(headers=[])
    atoms = logger.atoms(answer, request, environ, timedelta(seconds=1))
    assert atoms["r"] == "GET /admin/customers/customer/ HTTP/1.1"
    assert "Zweifelhofer" not in str(atoms)


def test_the_format_stays_and_a_formatter_of_the_operators_own_is_left_alone():
    plain = escaping(logging.Formatter("[%(process)d] %(message)s", "%H"))
    assert isinstance(plain, LineFormatter)
    assert (plain._fmt, plain.datefmt) == ("[%(process)d] %(message)s", "%H")

    class Json(logging.Formatter):
        pass

    own = Json()
    assert escaping(own) is own
    assert isinstance(escaping(None), LineFormatter)
