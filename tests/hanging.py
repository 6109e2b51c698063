"""A test that has failed and then hangs ends its process: its stacks are printed, and the run goes on."""

import faulthandler

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key, get_timeout_config_value


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Whatever limits the time of a test is switched off at its failure, lest it ends a debugger. Here its teardown
    gets a limit again, which ``pytest_runtest_protocol`` takes away at its end."""
    config = node.config
    if isinstance(node, pytest.Item) and not config.getoption("usepdb"):
        stderr = config.stash[fault_handler_stderr_fd_key]
        faulthandler.dump_traceback_later(get_timeout_config_value(config), file=stderr, exit=True)
