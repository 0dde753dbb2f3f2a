"""The status on one screen, and the same live."""

from __future__ import annotations

import asyncio
import io
import itertools
import os
import re
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.ledger import Context, Outcome, TurnRecord
from speakerd.errors import UnavailableError
from speakerd.service import client, screen
from speakerd.service.control import ControlServer
from speakerd.service.journal import ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

TURN = ledger(
    TurnRecord(
        12,
        "gemini-3.8-live",
        pressed_at=10.0,
        utterance_ended_at=12.0,
        first_sample_at=12.64,
        utterance_s=2.3,
        reply_s=3.4,
        context=Context.RESUMED,
        outcome=Outcome.ANSWERED,
    )
)
TODAY = {"turns": 14, "prompt_tokens": 123_456, "response_tokens": 2345, "cost_usd": 0.3985}
STATUS: dict[str, object] = {
    "state": "idle",
    "summary": "Ready: hold the button and speak",
    "link": "ready",
    "context": "resumed",
    "model": "gemini-3.8-live",
    "turns": 12,
    "reconnects": 1,
    "without": ["search", "voice"],
    "last_error": "1007 API key not valid",
    "last_error_remedy": "store a valid key: sudo speakerd key",
    "last_error_ago_s": 240.0,
    "microphone": "ready",
    "speaker": "ready",
    "button": "ready",
    "last_turn": TURN,
    "today": TODAY,
    "version": "0.1.0",
    "uptime_s": 11_520.0,
}


def shown(**changes: object) -> list[str]:
    return list(screen.lines({**STATUS, **changes}))


def test_the_status_is_one_screen() -> None:
    assert shown() == [
        "Ready: hold the button and speak",
        "",
        "speaker is    idle",
        "link          ready, context=resumed, gemini-3.8-live",
        "microphone    ready",
        "speaker       ready",
        "button        ready",
        "without       search, voice: the server refuses it",
        "today         14 turns, 123,456 tokens in, 2,345 out, about 0.40 USD",
        "turns         12, reconnects 1",
        "last turn     spoke 2.3 s, answered after 640 ms, reply 3.4 s, context=resumed (turn 12)",
        "last error    1007 API key not valid (4 min ago)",
        "  remedy      store a valid key: sudo speakerd key",
        "version       0.1.0, up 3 h 12 min",
    ]


def test_what_there_is_not_is_not_shown() -> None:
    lines = shown(
        without=[], last_turn=None, last_error=None, last_error_remedy=None, last_error_ago_s=None
    )
    assert len(lines) == 11
    assert lines[-2:] == ["last error    none", "version       0.1.0, up 3 h 12 min"]


def test_an_error_without_a_remedy_has_none() -> None:
    assert not any("remedy" in line for line in shown(last_error_remedy=None))


def test_parts_volume_and_mute_are_shown_where_there_are_any() -> None:
    parts = {"light": "ready", "mute switch": "GPIO26: busy", "volume": "ready"}
    lines = shown(parts=parts, volume=40, muted=True)
    assert lines[7:11] == [
        "light         ready",
        "mute switch   GPIO26: busy",
        "volume        40 %",
        "muted         the microphone is off",
    ]
    assert "volume        no such card" in shown(parts={"volume": "no such card"}, volume=None)


def test_what_will_ring_is_shown_by_its_kind() -> None:
    due = datetime(2026, 11, 23, 7, 0).astimezone().timestamp()
    eggs = {"number": 1, "kind": "timer", "name": "eggs", "due_unix_s": due, "rings": True}
    early = {"number": 2, "kind": "alarm", "name": "", "due_unix_s": due, "rings": False}
    mum = {"number": 3, "kind": "reminder", "name": "mum", "due_unix_s": due, "rings": False}
    older = {"number": 4, "name": "", "due_unix_s": due, "rings": False}
    assert [line for line in shown(timers=[eggs, early, mum, older]) if "  rings " in line] == [
        "timer 1       rings now (eggs)",
        "alarm 2       rings Mon 2026-11-23 07:00:00",
        "reminder 3    rings Mon 2026-11-23 07:00:00 (mum)",
        "timer 4       rings Mon 2026-11-23 07:00:00",
    ]


def test_a_cost_that_is_not_known_is_not_made_up() -> None:
    (today,) = (line for line in shown(today={**TODAY, "cost_usd": None}) if "today" in line)
    assert today.endswith("2,345 out, the model's price is not known")


@pytest.mark.parametrize(
    ("today", "words"),
    [
        ({"turns": 1, "cost_usd": 0.0042}, "1 turn, 9 tokens in, 8 out, less than 0.01 USD"),
        ({"turns": 0, "cost_usd": 0.0}, "0 turns, 9 tokens in, 8 out, less than 0.01 USD"),
        ({"turns": 2, "cost_usd": 12.3456}, "2 turns, 9 tokens in, 8 out, about 12.35 USD"),
    ],
)
def test_a_day_is_told_in_round_figures(today: dict[str, object], words: str) -> None:
    lines = shown(today={"prompt_tokens": 9, "response_tokens": 8, **today})
    assert f"today         {words}" in lines


def test_a_day_is_told_by_what_its_tokens_are_and_what_it_may_cost() -> None:
    kinds = {
        "audio_in_tokens": 120_000,
        "text_in_tokens": 3456,
        "image_in_tokens": 0,
        "audio_out_tokens": 2345,
        "text_out_tokens": 0,
        "thought_tokens": 900,
    }
    (today,) = (
        line
        for line in shown(today=TODAY | kinds, budget={"daily_usd": 2.5, "left": "fine"})
        if line.startswith("today")
    )
    assert today == (
        "today         14 turns, 123,456 tokens in (120,000 audio, 3,456 text), "
        "2,345 out (2,345 audio, 900 thoughts), about 0.40 USD of 2.50 USD"
    )


@pytest.mark.parametrize(
    ("since", "unpriced", "words"),
    [
        ("2026-11-01", 0, "1,204 turns since 2026-11-01, about 31.20 USD"),
        (None, 0, "1,204 turns, about 31.20 USD"),
        (None, 7000, "1,204 turns, about 31.20 USD, without 7,000 tokens of unknown price"),
    ],
)
def test_all_days_are_told_in_one_line(since: str | None, unpriced: int, words: str) -> None:
    in_all = {"turns": 1204, "since": since, "cost_usd": 31.2, "unpriced_tokens": unpriced}
    assert f"in all        {words}" in shown(in_all=in_all)


def test_what_an_older_daemon_does_not_tell_is_left_out() -> None:
    new = {"summary", "today", "version", "uptime_s", "last_error_remedy", "last_error_ago_s"}
    lines = list(screen.lines({key: STATUS[key] for key in STATUS.keys() - new}))
    assert len(lines) == 9
    assert lines[0] == "speaker is    idle"
    assert lines[-1] == "last error    1007 API key not valid"


# --- live


class Out(io.StringIO):
    """Where it is shown; ``terminal`` says what it is. Made in the loop that waits for it."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self._terminal = terminal
        self._loop = asyncio.get_running_loop()
        self._written = asyncio.Event()

    def isatty(self) -> bool:
        return self._terminal

    def flush(self) -> None:
        self._loop.call_soon_threadsafe(self._written.set)

    async def shows(self, text: str) -> None:
        async with asyncio.timeout(30):
            while text not in self.getvalue():
                self._written.clear()
                await self._written.wait()


class Daemon:
    """A control socket with a status behind it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "control.sock"
        self.now = dict(STATUS)
        self.asked = asyncio.Event()
        self.server = ControlServer(self.path, {"status": self._status})

    def _status(self, _message: Mapping[str, object]) -> Mapping[str, object]:
        self.asked.set()
        return {"ok": True, **self.now}

    def happens(self, event: str, **changes: object) -> None:
        self.now.update(changes)
        about: Mapping[str, object] = TURN if event == "turn" else {}
        self.server.publish({"event": event, **about})


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[Daemon]:
    made = Daemon(tmp_path)
    await made.server.start()
    yield made
    await made.server.close()


class Watching:
    """``speakerd status --watch``."""

    def __init__(self, daemon: Daemon, *, terminal: bool = False) -> None:
        self.out = Out(terminal=terminal)
        self.shows = self.out.shows
        self._running = asyncio.create_task(asyncio.to_thread(screen.watch, daemon.path, self.out))

    async def ends(self) -> int:
        async with asyncio.timeout(30):
            return await self._running


async def test_a_pipe_gets_a_line_for_each_change(daemon: Daemon) -> None:
    watching = Watching(daemon)
    await watching.shows("Ready")
    daemon.asked.clear()
    daemon.happens("transcript")
    daemon.happens("state")  # nothing that can be seen has changed
    await asyncio.wait_for(daemon.asked.wait(), 30)
    daemon.happens("state", summary="Listening")
    await watching.shows("Listening")
    daemon.happens("turn", summary="Speaking")
    await watching.shows("Speaking")
    await daemon.server.close()
    assert await watching.ends() == 0
    lines = watching.out.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    assert [line[9:] for line in lines] == [
        "Ready: hold the button and speak",
        "Listening",
        "turn 12: spoke 2.3 s, answered after 640 ms, reply 3.4 s, context=resumed",
        "Speaking",
    ]


async def test_a_terminal_has_its_screen_drawn_anew(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("LINES", "6")
    watching = Watching(daemon, terminal=True)
    await watching.shows("Ready")
    daemon.happens("state", summary="Listening to somebody who speaks too long")
    await watching.shows("Listening")
    await daemon.server.close()
    assert await watching.ends() == 0
    screens = watching.out.getvalue().split("\x1b[H\x1b[2J")
    assert len(screens) == 3
    assert screens[2].splitlines() == [
        "Listening to somebody who",
        "              speaks too long",
        "",
        "speaker is    idle",
        "link          ready,",
    ]


async def test_a_dumb_terminal_is_a_pipe(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    watching = Watching(daemon, terminal=True)
    await watching.shows("Ready")
    await daemon.server.close()
    await watching.ends()
    assert "\x1b" not in watching.out.getvalue()


async def test_a_daemon_that_goes_between_an_event_and_its_status_ends_it_quietly(
    daemon: Daemon,
) -> None:
    watching = Watching(daemon)
    await watching.shows("Ready")
    daemon.path.unlink()
    daemon.happens("state")
    assert await watching.ends() == 0


async def test_ctrl_c_ends_it_quietly(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = itertools.count()

    def interrupted(path: Path, message: Mapping[str, object]) -> dict[str, object]:
        if next(asked):
            raise KeyboardInterrupt
        return {**STATUS, "path": str(path), **message}

    monkeypatch.setattr(client, "request", interrupted)  # a signal comes in the main thread only
    watching = Watching(daemon)
    await watching.shows("Ready")
    daemon.happens("state")
    assert await watching.ends() == 0


async def test_events_that_were_not_read_in_time_are_not_passed_over(daemon: Daemon) -> None:
    watching = Watching(daemon)
    await watching.shows("Ready")
    daemon.server.publish({"event": "dropped", "error": "events were not read in time"})
    with pytest.raises(UnavailableError, match="events were not read in time"):
        await watching.ends()


async def test_it_ends_when_nobody_reads_it_any_more(daemon: Daemon) -> None:
    """As in `speakerd status --watch | head -1`, while nothing happens."""
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w", encoding="utf-8") as out:
        watching = asyncio.create_task(asyncio.to_thread(screen.watch, daemon.path, out))
        first = await asyncio.to_thread(os.read, read_end, 1000)
        assert b"Ready" in first
        os.close(read_end)
        async with asyncio.timeout(30):
            assert await watching == 0


async def test_a_pipe_that_is_read_sees_the_end_of_the_daemon(daemon: Daemon) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w", encoding="utf-8") as out:
        watching = asyncio.create_task(asyncio.to_thread(screen.watch, daemon.path, out))
        assert b"Ready" in await asyncio.to_thread(os.read, read_end, 1000)
        await daemon.server.close()
        async with asyncio.timeout(30):
            assert await watching == 0
    os.close(read_end)


async def test_an_output_that_takes_nothing_is_no_bug(daemon: Daemon) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(UnavailableError, match="No space left"):
        await asyncio.to_thread(screen.watch, daemon.path, Full())


def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="no daemon answers"):
        screen.watch(tmp_path / "control.sock", io.StringIO())
