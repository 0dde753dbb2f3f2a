"""Pictures in a running daemon, over real TLS: where they go, and that they hold nothing up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from speakerd.simulator.options import SimulatorOptions
from speakerd.simulator.records import Outcome
from speakerd.simulator.server import Simulator
from tests.fakes.camera import ENDLESS, FAILS, GARBAGE, HANGS, JPEG, WAITS, FakeCamera
from tests.fakes.processes import until
from tests.protocol.rig import SPEECH
from tests.protocol.test_reload import ReloadRig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

HALF = len(SPEECH) // 2
HALVES = SPEECH[:HALF], SPEECH[HALF:]


@pytest.fixture
def camera(tmp_path: Path) -> FakeCamera:
    return FakeCamera(tmp_path / "camera")


@pytest.fixture
async def rig(
    simulator: Simulator,  # noqa: ARG001 - it has to be there first
    tmp_path: Path,
    camera: FakeCamera,
) -> AsyncIterator[ReloadRig]:
    made = ReloadRig(tmp_path, camera_command=camera.command)
    async with made.running():
        await made.link("ready")
        yield made
    await nothing_runs(camera)


async def nothing_runs(camera: FakeCamera) -> None:
    await until(lambda: not camera.running)


async def word(rig: ReloadRig) -> str:
    parts: dict[str, Any] = (await rig.command("status"))["parts"]
    return str(parts.get("camera"))


async def nothing_is_seen(rig: ReloadRig, camera: FakeCamera, runs: int) -> None:
    """Wait until so many runs have come to nothing, and the status says so."""
    await until(lambda: len(camera.pids) == runs and not camera.running)
    while await word(rig) == "ready":
        pass


async def press(rig: ReloadRig) -> None:
    rig.button.edge(pressed=True)
    await rig.state("listening")


async def speak_until_seen(
    rig: ReloadRig, simulator: Simulator, *, turn: int = 1, pictures: int = 1
) -> None:
    """Half a sentence, and on, a chunk at a time, until so many pictures have come in it."""
    rig.hear(HALVES[0])
    async with asyncio.timeout(20):
        while sum(len(each.pictures) for each in simulator.turns[turn - 1 :]) < pictures:
            rig.hear(bytes(1280))
            await asyncio.sleep(0.005)


def let_go(rig: ReloadRig) -> None:
    """The end of the sentence, and the release."""
    rig.hear(HALVES[1])
    rig.button.edge(pressed=False)


async def test_a_picture_is_seen_in_the_sentence(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera
) -> None:
    assert await word(rig) == "ready"
    assert camera.pids == []  # nothing is photographed before
    await press(rig)
    await speak_until_seen(rig, simulator)
    let_go(rig)
    assert (await rig.turn())["outcome"] == "answered"
    (turn,) = simulator.turns
    (picture,) = turn.pictures
    assert (picture.data, picture.mime_type) == (JPEG, "image/jpeg")
    assert 0 < picture.after_bytes < len(turn.utterance)  # the voice came first
    assert turn.utterance.startswith(HALVES[0])
    assert turn.utterance.endswith(HALVES[1])
    assert simulator.connections[0].discarded_pictures == 0
    assert len(camera.pids) == 1


async def test_and_one_a_second_where_that_is_wished(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera
) -> None:
    rig.write(camera_interval_s=0.05)
    await rig.command("reload")
    await press(rig)
    await speak_until_seen(rig, simulator, pictures=3)
    let_go(rig)
    assert (await rig.turn())["outcome"] == "answered"
    places = [picture.after_bytes for picture in simulator.turns[0].pictures]
    assert places == sorted(places)
    await nothing_runs(camera)
    taken = len(camera.pids)
    assert (await rig.command("status"))["state"] in {"speaking", "idle"}
    assert len(camera.pids) == taken  # none is taken between two presses


@pytest.mark.parametrize(
    "behaviour",
    [HANGS, FAILS, GARBAGE, ENDLESS, WAITS],
    ids=["hangs", "fails", "garbage", "endless", "slow"],
)
async def test_a_camera_that_does_not_do_its_work_costs_the_picture_only(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera, behaviour: str
) -> None:
    camera.behave(behaviour)
    for number in (1, 2):
        await press(rig)
        if behaviour in {HANGS, WAITS}:
            await until(lambda: camera.running)
        else:
            await nothing_is_seen(rig, camera, runs=number)
        rig.hear()
        rig.button.edge(pressed=False)
        assert (await rig.turn(number))["outcome"] == "answered"
        await rig.state("idle")
        assert simulator.turns[-1].utterance == SPEECH
        assert simulator.turns[-1].pictures == []
    await nothing_runs(camera)
    camera.behave("")
    await press(rig)
    await speak_until_seen(rig, simulator, turn=3)
    let_go(rig)
    assert (await rig.turn(3))["outcome"] == "answered"
    assert await word(rig) == "ready"


async def test_what_is_wrong_with_it_is_in_the_status_and_once_in_the_journal(
    rig: ReloadRig, camera: FakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.behave(FAILS)
    reason = "fakecam failed (255): *** no cameras available ***"
    for number in (1, 2, 3):
        await press(rig)
        rig.hear()
        await nothing_is_seen(rig, camera, runs=number)
        assert await word(rig) == reason
        rig.button.edge(pressed=False)
        await rig.turn(number)
        await rig.state("idle")
    assert caplog.messages.count(f"no camera: {reason}") == 1


async def test_the_end_of_a_sentence_does_not_wait_for_a_slow_camera(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera
) -> None:
    """It is let go only after the answer: whoever waited for it would do so for ever."""
    camera.behave(WAITS)
    await press(rig)
    await until(lambda: camera.running)
    rig.hear()
    rig.button.edge(pressed=False)
    assert (await rig.turn())["outcome"] == "answered"
    await nothing_runs(camera)
    camera.let_it()
    assert simulator.turns[0].pictures == []
    assert simulator.connections[0].received["video"] == 0


async def test_a_picture_is_sent_again_with_its_sentence(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera
) -> None:
    simulator.plan.add(Phase.THINKING, faults.Abort())
    await press(rig)
    await speak_until_seen(rig, simulator)
    let_go(rig)
    ledger = await rig.turn()
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 2)
    lost, answered = simulator.turns
    assert lost.outcome is Outcome.LOST
    assert answered.utterance == lost.utterance
    assert answered.pictures == lost.pictures  # at the same place, too
    assert len(camera.pids) == 1  # it was not taken again


async def test_the_picture_of_a_tap_is_thrown_away(
    simulator: Simulator, tmp_path: Path, camera: FakeCamera
) -> None:
    camera.behave(HANGS)
    rig = ReloadRig(tmp_path, camera_command=camera.command, min_press_ms=2000, debounce_ms=0)
    async with rig.running():
        await rig.link("ready")
        await press(rig)
        await until(lambda: len(camera.pids) == 2)
        rig.button.edge(pressed=False)
        await rig.state("idle")
        await nothing_runs(camera)
    assert simulator.turns == []


async def test_a_muted_speaker_sees_nothing(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera
) -> None:
    await rig.command("mute", on=True)
    assert not (await rig.command("press"))["ok"]
    await rig.command("release")
    await rig.command("mute", on=False)
    assert (await rig.command("press"))["ok"]
    await speak_until_seen(rig, simulator)
    rig.hear(HALVES[1])
    await rig.command("release")
    assert (await rig.turn())["outcome"] == "answered"
    assert len(camera.pids) == 1


async def test_nothing_of_it_is_left_when_the_daemon_ends(
    rig: ReloadRig, camera: FakeCamera
) -> None:
    """The rig's own end looks for it."""
    camera.behave(HANGS)
    await press(rig)
    await until(lambda: len(camera.pids) == 2)


async def test_a_reload_takes_it_away_and_brings_another(
    rig: ReloadRig, simulator: Simulator, camera: FakeCamera, tmp_path: Path
) -> None:
    rig.write(camera_command="")
    await rig.command("reload")
    assert await word(rig) == "None"
    await rig.say_aloud()
    await rig.turn()
    await rig.state("idle")
    assert camera.pids == []
    rig.write(camera_command=f"{tmp_path}/nocam -o -")
    await rig.command("reload")
    while not (await word(rig)).startswith("nocam is not there; install it"):
        pass
    rig.write(camera_command=camera.command)
    await rig.command("reload")
    while await word(rig) != "ready":
        pass
    await press(rig)
    await speak_until_seen(rig, simulator, turn=2)
    let_go(rig)
    assert (await rig.turn(2))["outcome"] == "answered"


async def test_ours_is_no_session_that_ends_after_two_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, camera: FakeCamera
) -> None:
    """With a limit that any session without compression has reached by its first picture."""
    async with Simulator(SimulatorOptions(speed=0, video_session_s=0.001)) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        rig = ReloadRig(tmp_path, camera_command=camera.command)
        async with rig.running():
            await rig.link("ready")
            for number in (1, 2):
                await press(rig)
                await speak_until_seen(rig, simulator, turn=number)
                let_go(rig)
                assert (await rig.turn(number))["outcome"] == "answered"
                await rig.state("idle")
        assert len(simulator.connections) == 1
        assert [len(turn.pictures) for turn in simulator.turns] == [1, 1]


async def test_a_picture_is_seen_in_what_is_said_hands_free(
    simulator: Simulator, tmp_path: Path, camera: FakeCamera
) -> None:
    made = ReloadRig(tmp_path, camera_command=camera.command, turn_taking="conversation")
    async with made.running():
        await made.link("ready")
        await made.command("press")
        await made.state("listening")
        made.hear(SPEECH)
        async with asyncio.timeout(20):
            while not (simulator.turns and simulator.turns[0].pictures):
                made.hear(SPEECH[:1280])
                await asyncio.sleep(0.005)
        made.hear(bytes(32_000))
        assert (await made.turn())["outcome"] == "answered"
        (picture,) = simulator.turns[0].pictures
        assert picture.data == JPEG
    await nothing_runs(camera)
