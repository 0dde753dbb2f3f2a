"""Who holds a busy card, read from a /proc that a test has made up."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.holders import Holder, holders

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = """state: RUNNING
owner_pid   : {thread}
trigger_time: 1234.567890123
tstamp      : 0.000000000
delay       : 940
avail       : 84
"""


class Proc:
    """A made-up /proc."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def card(self, index: int, name: str) -> None:
        (self.root / f"asound/card{index}").mkdir(parents=True)
        (self.root / f"asound/card{index}/id").write_text(f"{name}\n")
        (self.root / f"asound/{name}").symlink_to(f"card{index}")

    def substream(self, place: str, status: str) -> None:
        (self.root / "asound" / place).mkdir(parents=True)
        (self.root / "asound" / place / "status").write_text(status)

    def process(self, pid: int, comm: str, thread: int | None = None) -> None:
        for number in {pid, thread or pid}:
            (self.root / str(number)).mkdir()
            (self.root / str(number) / "status").write_text(f"Name:\tx\nTgid:\t{pid}\nPid:\t9\n")
        (self.root / str(pid) / "comm").write_text(f"{comm}\n")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    """Two cards; mpd plays on the second one, arecord captures on both."""
    proc = Proc(tmp_path)
    proc.card(0, "vc4hdmi")
    proc.card(1, "Device")
    proc.substream("card0/pcm0p/sub0", "closed\n")
    proc.substream("card0/pcm0c/sub0", RUNNING.format(thread=700))
    proc.substream("card1/pcm0p/sub0", RUNNING.format(thread=815))
    proc.substream("card1/pcm0p/sub1", "closed\n")
    proc.substream("card1/pcm0c/sub0", RUNNING.format(thread=700))
    proc.process(812, "mpd", thread=815)
    proc.process(700, "arecord")
    return proc


MPD = Holder(812, "mpd", "Device")


@pytest.mark.parametrize(
    "device",
    [
        *("hw:1,0", "hw:1", "plughw:1,0", "hw:Device", "hw:CARD=Device,DEV=0", "plug:'hw:1,0'"),
        *("plughw:CARD=Device,DEV=0", "plug:dmix:CARD=Device", "sysdefault:CARD=1", "default"),
        *("kitchen", "hw:7", "plug:kitchen"),  # no card of that name: all are looked at
    ],
)
def test_the_process_that_plays_on_the_named_card_is_found(proc: Proc, device: str) -> None:
    assert holders(device, "p", proc.root) == [MPD]
    assert str(MPD) == "mpd (process 812)"


@pytest.mark.parametrize("device", ["hw:0,0", "plughw:CARD=vc4hdmi,DEV=0"])
def test_a_process_on_another_card_does_not_hold_this_one(proc: Proc, device: str) -> None:
    assert holders(device, "p", proc.root) == []


def test_all_holders_are_found_each_once_for_a_card(proc: Proc) -> None:
    proc.substream("card1/pcm1c/sub0", RUNNING.format(thread=700))
    proc.substream("card1/pcm2c/sub0", RUNNING.format(thread=815))
    assert holders("default", "c", proc.root) == [
        Holder(700, "arecord", "vc4hdmi"),
        Holder(700, "arecord", "Device"),
        MPD,
    ]


def test_a_process_that_is_hidden_or_gone_is_a_number(proc: Proc) -> None:
    proc.substream("card0/pcm3p/sub0", RUNNING.format(thread=4711))
    (found,) = holders("hw:0", "p", proc.root)
    assert (found, str(found)) == (Holder(4711, "", "vc4hdmi"), "process 4711")


def test_we_know_ourselves(proc: Proc) -> None:
    proc.process(os.getpid(), "python3")
    proc.substream("card0/pcm3p/sub0", RUNNING.format(thread=os.getpid()))
    (found,) = holders("hw:0", "p", proc.root)
    assert found.ourselves
    assert str(found) == "speakerd itself"


@pytest.mark.parametrize(
    "status",
    ["", "state: OPEN\n", "owner_pid   : \n", "owner_pid   : 0\n", "owner_pid : -3\n", "\0\xff\n"],
)
def test_what_makes_no_sense_is_nobody(proc: Proc, status: str) -> None:
    proc.substream("card0/pcm3p/sub0", status)
    assert holders("hw:0", "p", proc.root) == []


def test_what_cannot_be_read_is_left_out(proc: Proc) -> None:
    (proc.root / "asound/card0/pcm3p/sub0/status").mkdir(parents=True)  # no file at all
    (proc.root / "asound/card1/id").unlink()
    (proc.root / "812/comm").unlink()
    assert holders("default", "p", proc.root) == [Holder(812, "", "1")]


def test_a_name_cannot_break_the_line(proc: Proc) -> None:
    proc.process(900, "a\n\x1b[2Jb")
    proc.substream("card0/pcm3p/sub0", RUNNING.format(thread=900))
    (found,) = holders("hw:0", "p", proc.root)
    assert found.name == "a [2Jb"


def test_without_sound_cards_there_is_nobody(tmp_path: Path) -> None:
    assert holders("default", "p", tmp_path) == []
