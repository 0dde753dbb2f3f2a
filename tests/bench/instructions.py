"""How many instructions a piece of work takes: unlike seconds, that repeats on any machine.

Counted by valgrind's callgrind, in user space only: what the kernel does is not in it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from speakerd.errors import UnavailableError
from tests.bench.report import Figure, Section

_TIMES = 100
_TITLE = "Instructions, in thousands"
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)
_DUMPS = 3  # for each piece of work: before it counts, its repetitions, twice as many


def counted() -> Section:
    """Count them; without valgrind the section says so and has no figures."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return Section(f"{_TITLE}: not counted, there is no valgrind", [])
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory:
        out = Path(directory) / "out"
        done = subprocess.run(
            (
                valgrind,
                "--tool=callgrind",
                f"--callgrind-out-file={out}",
                "--dump-before=getsid",  # counted.mark
                sys.executable,
                "-m",
                "tests.bench.counted",
                str(_TIMES),
            ),
            env=os.environ | {"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise UnavailableError(f"valgrind failed: {done.stderr[-2000:]}")
        names = done.stdout.splitlines()
        counts = [
            int(_TOTALS.findall(Path(f"{out}.{number}").read_text())[0])
            for number in range(1, _DUMPS * len(names) + 1)
        ]
    return Section(
        _TITLE,
        [
            Figure(name, "", [count / _TIMES / 1000, twice / (2 * _TIMES) / 1000])
            for name, count, twice in zip(names, counts[1::_DUMPS], counts[2::_DUMPS], strict=True)
        ],
    )
