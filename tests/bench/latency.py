"""Latencies of turns on a link that is up, and what a turn costs.

The press comes over the control socket: its way in is counted, that of a GPIO edge is not known.
Times on the wire are the simulator's, when it has read the frame or sends it.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING, Any

from speakerd.audio.pcm import PERIOD_MS
from speakerd.errors import UnavailableError
from tests.bench import process, recording
from tests.bench.memory import Memory
from tests.bench.report import Figure, Section
from tests.bench.rig import (
    MIN_PRESS_MS,
    PREBUFFER_MS,
    TAIL_MS,
    Asked,
    Speaker,
    sleep_until,
    speaker,
)

if TYPE_CHECKING:
    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import Simulator, TurnRecord

_HELD_S = 1.0
_HELD_BRIEFLY_S = 0.4
_PAUSE_S = 0.2  # between turns: at a turn's end the conversation's handle is written to the disk
_FIRST_SAMPLE_DIRECTION = f"≤ {PREBUFFER_MS + PERIOD_MS}: prebuffer + period"


def in_real_time(card: StandInCard, simulator: Simulator, turns: int, spoken: bytes) -> Section:
    """Turns heard to their end, the answer at the pace of speech."""
    trip: list[float] = []
    to_start: list[float] = []
    to_audio: list[float] = []
    to_end: list[float] = []
    to_sample: list[float] = []
    used: list[process.Counters] = []
    with speaker(card, simulator) as held:
        held.wait_for_link("ready")
        for _ in range(turns):
            time.sleep(_PAUSE_S)
            trip.append(_round_trip_ms(held))
            before = process.counters(held.pid)
            press = held.command("press")
            card.play_into_microphone(spoken)
            sleep_until(press.at + _HELD_S)
            release = held.command("release")
            ledger = held.turn_ended("answered")
            used.append(process.counters(held.pid).since(before))
            turn = simulator.turns[-1]
            pressed_for_s = press.at + MIN_PRESS_MS / 1000
            to_start.append(_ms(pressed_for_s, turn.activity_start_at))
            to_audio.append(_ms(pressed_for_s, turn.first_audio_at))
            to_end.append(_ms(release.at + TAIL_MS / 1000, turn.activity_end_at))
            to_sample.append(_to_first_sample_ms(press, turn, ledger))
    turn_s = f"{_HELD_S:g} s of speech, {simulator.turns[-1].reply_s:g} s of reply"
    return Section(
        f"Turns in real time ({turn_s})",
        [
            Figure("press, less the minimum press -> activityStart", "ms", to_start, "≤ 5"),
            Figure("press, less the minimum press -> first audio", "ms", to_audio),
            Figure("release, less the tail -> activityEnd", "ms", to_end, "≤ 10"),
            Figure("first reply byte -> first sample", "ms", to_sample, _FIRST_SAMPLE_DIRECTION),
            Figure("for comparison: a round trip over the control socket", "ms", trip),
            *process.figures("a turn", used),
        ],
    )


def in_bursts(card: StandInCard, simulator: Simulator, turns: int) -> tuple[Section, Memory]:
    """Turns whose answer comes at once and is spoken into; and the memory used meanwhile."""
    to_sample: list[float] = []
    to_silence: list[float] = []
    memory = Memory("in a turn")
    chance = random.Random(0)  # noqa: S311 - moments anywhere in a block of the card
    with speaker(card, simulator) as held:
        held.wait_for_link("ready")
        press = held.command("press")
        for _ in range(turns):
            sleep_until(press.at + _HELD_BRIEFLY_S)
            held.command("release")
            held.wait_for(lambda event: event.get("state") == "speaking")
            turn = simulator.turns[-1]
            time.sleep(chance.uniform(0.2, 0.4))
            memory.look(held.pid)
            barge_in = held.command("press")
            to_silence.append(recording.heard_after_ms(card, barge_in.at))
            to_sample.append(_to_first_sample_ms(press, turn, held.turn_ended("stopped")))
            press = barge_in
    floor = [recording.bare_drop_ms(card) for _ in range(turns)]
    return Section(
        "Turns with the reply in one burst, spoken into",
        [
            Figure("first reply byte -> first sample", "ms", to_sample, _FIRST_SAMPLE_DIRECTION),
            Figure("press -> last sample heard, with the card's lag", "ms", to_silence),
            Figure("a bare drop() -> last sample heard, likewise", "ms", floor),
            Figure(
                "press -> last sample heard, less the median lag",
                "ms",
                [value - statistics.median(floor) for value in to_silence],
                "≤ 30",
            ),
        ],
    ), memory


def _round_trip_ms(held: Speaker) -> float:
    asked = held.command("status")
    return _ms(asked.at, asked.answered_at)


def _to_first_sample_ms(press: Asked, turn: TurnRecord, ledger: dict[str, Any]) -> float:
    """From the simulator's first reply byte to the daemon's first sample: two clocks that agree."""
    return _ms(turn.first_reply_at, press.handled_at + ledger["first_sample_ms"] / 1000)


def _ms(since: float | None, until: float | None) -> float:
    if since is None or until is None:
        raise UnavailableError("a turn ended well without one of its milestones")
    return 1000 * (until - since)
