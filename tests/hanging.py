"""A test that hangs beyond its time limit ends its process: its stacks are printed, and the run goes on.

pytest-timeout raises an error in the test. That helps neither against a wait in C nor once the test has failed: then it
sets no limit to the teardown, lest it ends a debugger.
"""

import faulthandler
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from pytest_timeout import _get_item_settings

BEYOND = 1.4  # times as long as the test may take


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    begin_limit(item)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """pytest's own plugin of that name has just taken the limit away."""
    if isinstance(node, pytest.Item) and not node.config.getoption("usepdb"):
        begin_limit(node)


def begin_limit(item: pytest.Item) -> None:
    seconds = _get_item_settings(item).timeout
    if seconds:
        stderr = item.config.stash[fault_handler_stderr_fd_key]
        faulthandler.dump_traceback_later(BEYOND * seconds, file=stderr, exit=True)
