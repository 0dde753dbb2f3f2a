"""A Pi has no battery for its clock: until the network has told it the time, it is long ago."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.demo.process import DaemonProcess
from tests.network.process import BARE, ask, status_says

if TYPE_CHECKING:
    from speakerd.simulator.server import Simulator

#: Of Debian's libfaketime.
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.mark.timeout(180)  # under a faked clock the SDK takes long to load
@pytest.mark.skipif(FAKETIME is None, reason="another time needs Debian's libfaketime")
async def test_what_is_asked_in_1970_is_delivered_when_the_clock_is_set(
    simulator: Simulator, tmp_path: Path
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("@1970-01-02 00:00:00\n")
    environment = BARE | {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with DaemonProcess(tmp_path, environment) as process:
        await status_says(process, "last_error", "certificate is not yet valid; is the clock right")
        await ask(process, "What time is it?")
        assert simulator.turns == []
        new = tmp_path / "clock.new"
        new.write_text("+0\n")
        new.replace(clock)  # in one step: libfaketime ends a process that it tells no time
        await simulator.wait_for(lambda: simulator.turns, 60)
    assert simulator.turns[0].text == "What time is it?"
    assert process.exit_code == 0
