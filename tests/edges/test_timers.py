"""Timers on the disk, and the clock on the wall."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from speakerd.audio.voice import MOST_NAMES
from speakerd.conversation import effects as fx
from speakerd.conversation import events as ev
from speakerd.conversation.timer import Missed, Timer
from speakerd.daemon.clock import LocalClock
from speakerd.daemon.orders import Orders
from speakerd.service.timers import TimersStore, boot_id

if TYPE_CHECKING:
    from pathlib import Path

AHEAD_S = 1_700_000_000.0
LOCAL = datetime.fromisoformat("2026-10-25 07:30")
EGGS = Timer(1, "eggs", due_at=300.0)
EVERY_MONDAY = Timer(2, "", local=LOCAL, days=frozenset({0}))
MUM = Timer(3, "call mum", True, due_unix_s=1_800_000_000.0)
MISSED = (Missed("tea", False, 1_699_999_000.5),)


def store(directory: Path, boot: str = "this one") -> TimersStore:
    return TimersStore(directory, lambda: boot)


def test_what_was_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    store(tmp_path).saving((EGGS, EVERY_MONDAY, MUM), MISSED, AHEAD_S)()
    kept = store(tmp_path).load()
    assert kept == ev.TimersKept((EGGS, EVERY_MONDAY, MUM), MISSED)
    assert (tmp_path / "timers.json").stat().st_mode & 0o777 == 0o600


def test_after_a_boot_a_timer_goes_by_the_clock_on_the_wall(tmp_path: Path) -> None:
    store(tmp_path).saving((EGGS, EVERY_MONDAY), (), AHEAD_S)()
    kept = store(tmp_path, "another").load()
    assert kept is not None
    assert kept.timers == (Timer(1, "eggs", due_unix_s=AHEAD_S + 300.0), EVERY_MONDAY)


def test_a_boot_has_a_name_of_its_own() -> None:
    assert boot_id() == boot_id() != ""


def test_where_there_are_none_there_is_nothing_to_be_told(tmp_path: Path) -> None:
    assert store(tmp_path).load() is None
    store(tmp_path).saving((), (), AHEAD_S)()
    assert store(tmp_path).load() is None
    nowhere = TimersStore(None)
    nowhere.saving((EGGS,), (), AHEAD_S)()
    assert nowhere.load() is None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "nonsense",
        '{"timers": 3, "missed": []}',
        '{"timers": [{}], "missed": []}',
        '{"timers": [], "missed": [3]}',
        '{"timers": [{"number": 1, "name": "", "reminds": 0, "local": "noon", "days": []}]}',
        '{"timers": [{"number": 1, "name": "", "reminds": 0, "local": "2026-10-25", "days": [9]}]}',
        "[" * 100_000,
        '{"timers": [{"number": 1e999, "name": "", "reminds": 0, "due_unix_s": 1}], "missed": []}',
        '{"timers": [{"number": 1, "name": "", "reminds": 0, "due_unix_s": NaN}], "missed": []}',
        '{"timers": [{"number": 1, "name": "", "reminds": 0, "due_unix_s": 1e300}], "missed": []}',
        (
            '{"timers": [{"number": 1, "name": "", "reminds": 0, "local": "9999-12-31", "days": []}'
            '], "missed": []}'
        ),
        '{"timers": [], "missed": [["", false, Infinity]]}',
        '{"more": "' + "x" * 300_000 + '", "timers": [], "missed": []}',
    ],
)
def test_what_is_not_speakerds_is_told_and_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    (tmp_path / "timers.json").write_text(content)
    assert store(tmp_path).load() is None
    assert len(caplog.messages) == 1
    assert "timers.json is ignored" in caplog.messages[0]


def test_a_name_that_moves_cursors_is_taken_without_that(tmp_path: Path) -> None:
    timer = {"number": 1, "name": "\x1b[2Jeggs\ntea\ud800", "reminds": 0, "due_unix_s": 1}
    content = {"timers": [timer], "missed": [["a\x07", 0, 1]]}
    (tmp_path / "timers.json").write_text(json.dumps(content))
    kept = store(tmp_path).load()
    assert kept is not None
    assert kept.timers[0].name == "[2Jeggs tea"
    assert kept.missed[0].name == "a"


def test_all_that_can_be_set_can_be_kept(tmp_path: Path) -> None:
    timers = tuple(Timer(number, "\U0001f423" * 100, due_at=1.0) for number in range(1, 33))
    missed = (Missed("\U0001f423" * 100, True, 1.0),) * 8
    store(tmp_path).saving(timers, missed, AHEAD_S)()
    assert store(tmp_path).load() == ev.TimersKept(timers, missed)


def test_a_disk_that_takes_nothing_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "there"
    save = store(missing).saving((EGGS,), (), AHEAD_S)
    save()
    save()
    assert len(caplog.messages) == 1
    missing.mkdir()
    save()
    assert json.loads((missing / "timers.json").read_text())["timers"][0]["name"] == "eggs"


# --- how they are said


class Voice:
    """Has made every name it was asked for before, and keeps as few as the real one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.made: list[str] = []

    def word(self, name: str) -> bytes | None:
        known = name in self.made
        self.made = [*(each for each in self.made if each != name), name][-MOST_NAMES:]
        self.asked.append(name)
        return name.encode() if known else None


class Kitchen:
    """Orders, with a voice, and a speaker that keeps what it is to play."""

    def __init__(self) -> None:
        self.voice = Voice()
        self.clips: list[bytes] = []
        self.read_out: list[str] = []
        speaker = SimpleNamespace(play_clip=self.clips.append)
        edges = SimpleNamespace(
            devices=SimpleNamespace(voice=self.voice, speaker=speaker),
            chronicle=SimpleNamespace(timer=lambda *_: None),
            chores=SimpleNamespace(do=lambda work: work()),
            timers=TimersStore(None),
            clock=SimpleNamespace(ahead_s=AHEAD_S),
        )
        settings = SimpleNamespace(earcon_volume=20)
        order: Any = Orders(
            cast("Any", edges), cast("Any", settings), lambda: None, self.read_out.append
        )
        self.order = order.carry_out


def test_more_names_than_are_kept_do_not_drive_each_other_out() -> None:
    kitchen = Kitchen()
    names = tuple(f"<{number}>" for number in range(32))
    timers = tuple(Timer(number, name) for number, name in enumerate(names, 1))
    kitchen.order(fx.KeepTimers(timers, ()))
    assert kitchen.voice.asked == list(names[:MOST_NAMES]), "those that are due first"
    for _ in range(2):
        kitchen.order(fx.Ring(names))
        assert kitchen.clips[-1].endswith("".join(names[:MOST_NAMES]).encode())


def test_a_reminder_is_said_without_the_bell_or_read_out() -> None:
    kitchen = Kitchen()
    mum = fx.TimerTold(MUM, fx.TimerNews.SILENCED)
    kitchen.order(mum)
    kitchen.order(fx.Ring((MUM.name,), bell=False))
    assert kitchen.read_out == [MUM.name], "there was no sound of it yet"
    kitchen.order(mum)
    kitchen.order(fx.Ring((MUM.name,), bell=False))
    assert kitchen.read_out == [MUM.name]
    assert kitchen.clips[-1] == MUM.name.encode()


# --- the clock on the wall


class Wall:
    """Clocks that stand still, and a zone."""

    def __init__(self, root: Path) -> None:
        self.unix_s, self.monotonic_s = 1_761_000_000.0, 50.0
        self.told: list[ev.ClockRead] = []
        self.root = root
        (root / "etc").mkdir()
        self.live_in("Europe/Berlin")
        self.clock = LocalClock(
            self.tell, unix=lambda: self.unix_s, monotonic=lambda: self.monotonic_s, root=root
        )

    def tell(self, event: ev.Event) -> None:
        assert isinstance(event, ev.ClockRead)
        self.told.append(event)

    def live_in(self, zone: str) -> None:
        link = self.root / "etc/localtime"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/usr/share/zoneinfo/{zone}")

    def wait(self, seconds: float) -> None:
        self.unix_s += seconds
        self.monotonic_s += seconds


@pytest.fixture
def wall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wall:
    monkeypatch.delenv("TZ", raising=False)
    return Wall(tmp_path)


def test_time_that_passes_is_no_news(wall: Wall) -> None:
    wall.clock.look()
    (told,) = wall.told
    assert (told.unix_s, str(told.zone)) == (wall.unix_s, "Europe/Berlin")
    wall.wait(3600.0)
    wall.clock.look()
    assert len(wall.told) == 1


def test_a_clock_that_was_put_is(wall: Wall) -> None:
    wall.clock.look()
    wall.unix_s += 1000.0
    wall.clock.look()
    assert [told.unix_s for told in wall.told] == [1_761_000_000.0, 1_761_001_000.0]
    assert wall.clock.ahead_s == wall.unix_s - 50.0


def test_so_is_another_zone(wall: Wall) -> None:
    berlin = wall.clock.now()
    wall.live_in("Asia/Tokyo")
    tokyo = wall.clock.now()
    assert tokyo == berlin
    assert tokyo.utcoffset() == timedelta(hours=9)
    assert len(wall.told) == 2


def test_nobody_looks_again_who_has_not_looked(wall: Wall) -> None:
    wall.clock.look_again()
    assert wall.told == []
    wall.clock.now()
    wall.unix_s += 1000.0
    wall.clock.look_again()
    assert len(wall.told) == 2


def test_a_zone_without_a_name_is_a_zone(wall: Wall) -> None:
    """Where etc/localtime is a copy, as an image of a system may have it."""
    link = wall.root / "etc/localtime"
    copy = link.read_bytes()
    link.unlink()
    link.write_bytes(copy)
    assert wall.clock.now().utcoffset() == timedelta(hours=2)  # in October


def test_a_zone_that_was_chosen_is_the_one(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":Asia/Tokyo")
    assert wall.clock.now().utcoffset() == timedelta(hours=9)


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "CET-1CEST,M3.5.0"])
def test_a_zone_that_nobody_knows_is_what_etc_says_or_else_utc(
    wall: Wall, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    link = wall.root / "etc/localtime"
    link.unlink()
    assert wall.clock.now().utcoffset() == timedelta(0)
