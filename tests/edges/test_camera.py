"""The camera's command, with scripts for it that do all that a camera may do."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from speakerd.camera.camera import Camera
from speakerd.camera.program import MAX_BYTES, Program
from speakerd.commands import CommandError
from tests.fakes.camera import ENDLESS, FAILS, GARBAGE, HANGS, JPEG, WAITS, FakeCamera
from tests.fakes.processes import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MISSING = "nocam is not there; install it, or set SPEAKERD_CAMERA_COMMAND to another one"


@pytest.fixture
def fake(tmp_path: Path) -> FakeCamera:
    return FakeCamera(tmp_path / "camera")


def program(fake: FakeCamera) -> Program:
    return Program([str(fake.program)])


# --- one run of it


async def test_what_it_prints_is_the_picture(fake: FakeCamera) -> None:
    assert await program(fake).picture() == JPEG
    assert fake.running == []


async def test_what_some_cameras_fill_up_with_is_cut_off(fake: FakeCamera) -> None:
    fake.see(JPEG + bytes(1000))
    assert await program(fake).picture() == JPEG


async def test_the_largest_picture(fake: FakeCamera) -> None:
    largest = JPEG[:4] + bytes(MAX_BYTES - 6) + JPEG[-2:]
    fake.see(largest)
    assert await program(fake).picture() == largest


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (FAILS, "fakecam failed (255): *** no cameras available ***"),
        (GARBAGE, "what fakecam prints is no JPEG, or not all of one"),
        (
            'head -c 100 "$here/picture.jpg"; exit',
            "what fakecam prints is no JPEG, or not all of one",
        ),
        (
            "exit 0",
            (
                "fakecam prints nothing; "
                "it has to write to its standard output, and may need leave: speakerd doctor"
            ),
        ),
        (ENDLESS, "fakecam prints more than 1024 KiB; let it print less"),
    ],
)
async def test_why_there_is_no_picture(fake: FakeCamera, behaviour: str, words: str) -> None:
    fake.behave(behaviour)
    with pytest.raises(CommandError) as raised:
        await program(fake).picture()
    assert str(raised.value) == words
    assert fake.running == []


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=f"^{MISSING}$"):
        await Program([str(tmp_path / "nocam")]).picture()


async def test_it_gets_nothing_of_ours_but_where_programs_are(
    fake: FakeCamera, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-secret")
    fake.behave(f"env >'{tmp_path}/environment'")
    await program(fake).picture()
    names = {line.partition("=")[0] for line in (tmp_path / "environment").read_text().split()}
    assert names - {"PWD", "OLDPWD", "SHLVL", "_"} == {"PATH", "LC_ALL"}  # what sh itself sets


async def test_two_never_run_at_the_same_time(fake: FakeCamera) -> None:
    fake.behave(WAITS)
    camera = program(fake)
    pictures = [asyncio.create_task(camera.picture()) for _ in range(2)]
    await until(lambda: fake.running)
    assert len(fake.pids) == 1
    fake.let_it()
    assert await asyncio.gather(*pictures) == [JPEG, JPEG]
    assert len(fake.pids) == 2


# --- the camera of a speaker


class Told:
    """What a camera tells, and shows."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.shown: list[bytes] = []

    def camera(self, fake: FakeCamera, interval_s: float = 0.0) -> Camera:
        return Camera(
            [str(fake.program), "--width", "768"],
            interval_s,
            ready=lambda: self.words.append("ready"),
            lost=self.words.append,
        )


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def camera(fake: FakeCamera, told: Told) -> AsyncIterator[Camera]:
    made = told.camera(fake)
    made.start()
    yield made
    await asyncio.to_thread(made.stop)
    assert fake.running == []


async def test_one_picture_at_the_press(camera: Camera, told: Told, fake: FakeCamera) -> None:
    assert fake.pids == []  # it looks at nothing before
    camera.begin(1, told.shown.append)
    await until(lambda: not camera._tasks)
    camera.end(1)
    assert (told.shown, told.words) == ([JPEG], ["ready"])


async def test_and_one_every_so_often(fake: FakeCamera, told: Told) -> None:
    camera = told.camera(fake, interval_s=0.01)
    camera.begin(1, told.shown.append)
    await until(lambda: len(told.shown) > 3)
    camera.end(1)
    await until(lambda: not camera._tasks)
    assert not fake.running


async def test_what_is_being_taken_at_the_end_is_thrown_away(
    camera: Camera, told: Told, fake: FakeCamera
) -> None:
    fake.behave(HANGS)
    camera.begin(1, told.shown.append)
    await until(lambda: len(fake.pids) == 2)
    camera.end(1)
    await until(lambda: not camera._tasks)
    await until(lambda: not fake.running)
    assert (told.shown, told.words) == ([], ["ready"])


async def test_the_end_of_another_turn_ends_nothing(
    camera: Camera, told: Told, fake: FakeCamera
) -> None:
    """The sentence before is let go of when its answer comes; somebody may be speaking then."""
    fake.behave(WAITS)
    camera.begin(2, told.shown.append)
    camera.end(1)
    fake.let_it()
    await until(lambda: told.shown)


async def test_a_press_while_the_last_one_is_being_ended(
    camera: Camera, told: Told, fake: FakeCamera
) -> None:
    fake.behave(HANGS)
    camera.begin(1, lambda _jpeg: pytest.fail("it was ended"))
    await until(lambda: len(fake.pids) == 2)
    fake.behave("")
    camera.end(1)
    camera.begin(2, told.shown.append)
    await until(lambda: told.shown)


async def test_a_stop_ends_what_runs(fake: FakeCamera, told: Told) -> None:
    fake.behave(HANGS)
    camera = told.camera(fake, interval_s=1)
    camera.begin(1, told.shown.append)
    await until(lambda: len(fake.pids) == 2)
    await asyncio.to_thread(camera.stop)
    assert not camera._tasks
    await until(lambda: not fake.running)
    assert threading.active_count() < 10


async def test_one_that_was_never_used_is_stopped(fake: FakeCamera, told: Told) -> None:
    await asyncio.to_thread(told.camera(fake).stop)


async def test_trouble_is_told_once_for_each_reason_and_so_is_its_end(
    camera: Camera, told: Told, fake: FakeCamera
) -> None:
    troubles = (
        'echo "[0:25:38.1] [590] ERROR: no camera" >&2; exit 1',
        'echo "[0:31:07.9] [777] ERROR: no camera" >&2; exit 1',
        GARBAGE,
        GARBAGE,
        "",
        "",
        GARBAGE,
    )
    for turn, trouble in enumerate(troubles):
        fake.behave(trouble)
        camera.begin(turn, told.shown.append)
        await until(lambda: not camera._tasks)
    garbage = "what fakecam prints is no JPEG, or not all of one"
    failed = "fakecam failed (1): [0:25:38.1] [590] ERROR: no camera"
    assert told.words == ["ready", failed, garbage, "ready", garbage]


def test_a_program_that_is_missing_is_told_at_the_start(tmp_path: Path) -> None:
    words: list[str] = []
    Camera(
        [str(tmp_path / "nocam")], 0, ready=lambda: words.append("ready"), lost=words.append
    ).start()
    assert words == [MISSING]
