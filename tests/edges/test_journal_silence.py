"""Nothing of what was spoken reaches the journal, whoever might log it, unless that is wished."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.server import Simulator
from tests.protocol.rig import Rig

if TYPE_CHECKING:
    from pathlib import Path

    from tests.edges.conftest import Configure

HEARD = "Where is the treasure buried?"
SPOKEN = "Under the elderberry tree."
WORDS = ("treasure", "buried", "elderberry")


#: The same in messages that nobody can read.
UNREADABLE = (
    f'{{"serverContent": "{HEARD}'.encode(),
    f'"{HEARD}"'.encode(),
    HEARD.encode(),
    f'{{"serverContent": ["{SPOKEN}"]}}'.encode(),
    f'{{"serverContent": {{"outputTranscription": "{SPOKEN}"}}}}'.encode(),
    f'{{"serverContent": {{"outputTranscription": {{"text": ["{SPOKEN}"]}}}}}}'.encode(),
)


async def a_day(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    unreadable: bytes = UNREADABLE[0],
    **options: Any,  # noqa: ANN401 - any setting
) -> None:
    """Three turns, with the real SDK and its sockets, and a message that makes no sense."""
    async with Simulator(SimulatorOptions(speed=0, heard=HEARD, spoken=SPOKEN)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        simulator.plan.add(Phase.IDLE, faults.Inject(unreadable))
        rig = Rig(directory, **options)
        async with rig.running():
            for count in (1, 2):
                await rig.say_aloud()
                assert (await rig.turn(count))["outcome"] == "answered"
                await rig.state("idle")
            await rig.command("say", text=HEARD)
            await rig.turn(3)
            said = "".join(each["text"] for each in rig.events if each["event"] == "transcript")
            assert all(word in said for word in WORDS), "there was something to be silent about"


@pytest.mark.parametrize("unreadable", UNREADABLE)
async def test_nothing_of_what_was_spoken_is_in_the_journal(
    under_systemd: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unreadable: bytes
) -> None:
    everything = under_systemd("debug")
    await a_day(tmp_path, monkeypatch, unreadable)
    # the simulator, which knows it all, runs in this process too
    ours = [each for each in everything if not each["LOGGER"].startswith("speakerd.simulator")]
    assert len([entry for entry in ours if entry["SPEAKERD_EVENT"] == "turn"]) == 3
    assert "unreadable message" in str(ours)
    assert [entry for entry in ours if any(word in str(entry) for word in WORDS)] == []


async def test_on_request_it_is(
    under_systemd: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = under_systemd("info")
    await a_day(tmp_path, monkeypatch, log_transcripts=True)
    lines = [entry["MESSAGE"] for entry in entries if entry["SPEAKERD_EVENT"] == "transcript"]
    assert lines.count(f'heard: "{HEARD}"') >= 2
    assert lines.count(f'said: "{SPOKEN}"') >= 2
