"""What all tests share: the leak guard, an environment without the user's, hypothesis' profiles."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["pytester", "tests.guard"]
collect_ignore = ["virtual_pi"]  # its tests have machines, and a pytest.ini, of their own

# What speakerd and its libraries read from the environment: no test may depend on what the person
# or the service manager that started it has set there.
_READ_FROM_ENVIRONMENT = re.compile(
    r"(SPEAKERD|GEMINI|GOOGLE|GPIOZERO|PULSE|ALSA|XDG|SSL_CERT)_.*"
    r"|(NOTIFY_SOCKET|WATCHDOG_(USEC|PID)|JOURNAL_STREAM|INVOCATION_ID|LISTEN_(FDS|PID|FDNAMES))"
    r"|(CREDENTIALS|STATE|RUNTIME|CONFIGURATION|CACHE|LOGS)_DIRECTORY"
    r"|(https?|all|no|wss?)_proxy",
    re.IGNORECASE,
)
# At import, before a module under test can read any of it.
for _name in list(filter(_READ_FROM_ENVIRONMENT.fullmatch, os.environ)):
    del os.environ[_name]

# Under nohup, or in the background of a script, SIGINT is ignored, and children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadline anywhere: pytest-timeout bounds a test, and a busy machine is not a bug.
_USUAL = hypothesis.settings(
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],  # the machine's fault, not the test's
)
hypothesis.settings.register_profile("dev", _USUAL)
hypothesis.settings.register_profile(
    "ci",
    _USUAL,
    derandomize=True,  # the same examples every time: a red run is due to the change
    database=None,
    print_blob=True,
)
hypothesis.settings.register_profile("thorough", _USUAL, max_examples=2000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev")
)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As pytest's own, with a short name: that of a Unix socket has 107 bytes at most."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home without the user's .asoundrc, PulseAudio cookie and the like."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield
