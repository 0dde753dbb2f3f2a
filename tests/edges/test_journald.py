"""What really goes to journald, by systemd's own library, over the socket that journald has.

The socket's place is fixed, so this needs a mount namespace with a /run of its own.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

import pytest

_UNSHARE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)), "sh", "-c")
_PROGRAM = r"""
import json, logging, os, socket, sys, threading
from speakerd.service import journal

os.makedirs("/run/systemd/journal")
journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journald.bind("/run/systemd/journal/socket")
journald.settimeout(30)
stderr = open("/run/stderr", "w")
stat = os.fstat(stderr.fileno())
os.environ["JOURNAL_STREAM"] = f"{stat.st_dev}:{stat.st_ino}"
sys.stderr = stderr

def entry():
    left, fields = journald.recv(1 << 20), {}
    while left:
        line, left = left.split(b"\n", 1)
        name, equals, value = line.partition(b"=")
        if not equals:  # what has more lines than one has its length before it
            length = int.from_bytes(left[:8], "little")
            value, left = left[8 : 8 + length], left[8 + length + 1 :]
        fields[name.decode()] = value.decode()
    return fields

def die():
    raise RuntimeError("of old age")

journal.configure("info", ["AIzaSyTest-key_0123456789"])
journal.log("turn", "turn 1: \N{SNOWMAN}", turn=1, reply_s=1.5)
try:
    {}["AIzaSyTest-key_0123456789"]
except KeyError:
    logging.getLogger("speakerd").critical("internal error", exc_info=True)
logging.getLogger("asyncio").warning("two\nlines")
thread = threading.Thread(target=die, name="worker")
thread.start()
thread.join()
json.dump([entry() for _ in range(4)], sys.stdout)
journald.setblocking(False)
try:
    sys.exit(f"one more: {entry()}")
except BlockingIOError:
    stderr.close()
    sys.exit(open("/run/stderr").read() or None)
"""


@functools.cache
def entries() -> list[dict[str, str]]:
    mounted = 'mount -t tmpfs none /run 2>/dev/null || exit 77; exec "$0" -c "$1"'
    try:
        done = subprocess.run(
            [*_UNSHARE, mounted, sys.executable, _PROGRAM],
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare")
    if done.returncode == 77 or done.stderr.startswith("unshare:"):
        pytest.skip("a mount namespace is not allowed here")
    assert (done.returncode, done.stderr) == (0, "")
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_a_line_arrives_with_its_fields() -> None:
    turn = entries()[0]
    assert {name: turn[name] for name in turn if not name.startswith("CODE_")} == {
        "MESSAGE": "turn 1: \N{SNOWMAN}",
        "MESSAGE_ID": "35779654656048fd83af684be4cdb331",
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "speakerd",
        "LOGGER": "speakerd",
        "SPEAKERD_EVENT": "turn",
        "SPEAKERD_TURN": "1",
        "SPEAKERD_REPLY_S": "1.5",
    }


def test_a_traceback_is_one_entry_without_the_key() -> None:
    bug = entries()[1]
    assert (bug["PRIORITY"], bug["SPEAKERD_EVENT"]) == ("2", "bug")
    assert bug["MESSAGE"].startswith("internal error\nTraceback (most recent call last):\n")
    assert bug["MESSAGE"].endswith("\nKeyError: '[secret]'")
    assert "AIzaSy" not in str(entries())


def test_a_librarys_lines_are_one_entry() -> None:
    library = entries()[2]
    assert (library["MESSAGE"], library["SPEAKERD_EVENT"]) == ("two\nlines", "library")
    assert library["PRIORITY"] == "4"


def test_a_thread_that_dies_is_one_entry() -> None:
    thread = entries()[3]
    assert thread["MESSAGE"].startswith("the thread worker died\nTraceback ")
    assert thread["PRIORITY"] == "2"
