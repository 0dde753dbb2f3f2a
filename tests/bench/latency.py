"""How soon a person is heard, answered and obeyed: everybody's latencies, seen from outside.

Times on the wire are the simulator's, when it has read the frame or sends it; times of sound are
of the card's recording, less what the card itself adds. All of speakerd's options are as shipped,
but for a minimum press of 0 where it is compared with peers that have none.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PERIOD_MS
from speakerd.config.settings import Settings
from speakerd.simulator.audio import SAMPLE_BYTES
from tests.bench import recording
from tests.bench.contenders import BARE, FLOOR, SPEAKERD, connects_ms, running
from tests.bench.report import Comparison, Row
from tests.bench.rig import sleep_until
from tests.bench.turns import (
    in_rounds,
    known,
    ms,
    newest_number,
    over,
    reply_to,
    say,
)

if TYPE_CHECKING:
    from speakerd.simulator import TurnRecord
    from tests.bench.contenders import Contender, Stage
    from tests.bench.recording import Card

_TAIL_MS: int = Settings.model_fields["tail_ms"].default
_MIN_PRESS_MS: int = Settings.model_fields["min_press_ms"].default
_PREBUFFER_MS: int = Settings.model_fields["prebuffer_ms"].default
#: The peers take any press for meant.
AT_ONCE = {"SPEAKERD_MIN_PRESS_MS": "0"}
_WITHOUT_LINGERING = {"SPEAKERD_LINGER_S": "0"}
_FIRST_SAMPLE = "first reply byte -> first sample heard, less the card's"
_HELD_BRIEFLY_S = 0.4
_PATIENT_S = 1.5  # of an answer with gaps the first sample has been heard by then
_SETTLED_S = 0.5  # after the link has gone down


def in_real_time(stage: Stage, card: Card, rounds: int, turns: int) -> Comparison:
    """Turns that are heard to their end, the answer at the pace of speech."""
    to_start = Row("edge -> activityStart on the wire", target="≤ 2")
    to_audio = Row("edge -> first audio on the wire")
    to_end = Row("release, less the tail -> activityEnd", target="≤ 5")
    to_sample = _first_sample_row()
    first = Row("edge -> first sample sent came to the microphone", target="≤ 0: nothing is lost")
    last = Row("release -> last sample sent came to the microphone", target="≥ 0: nothing is lost")

    def measure(who: Contender) -> None:
        tail_ms = _TAIL_MS if who.name == SPEAKERD else 0
        for _ in range(turns):
            from_bytes = stage.card.heard_bytes()
            said = over(stage, who)
            turn = said.record
            to_start.add(who.name, ms(said.pressed_at, turn.activity_start_at))
            to_audio.add(who.name, ms(said.pressed_at, turn.first_audio_at))
            to_end.add(who.name, ms(said.released_at, turn.activity_end_at) - tail_ms)
            to_sample.add(who.name, _first_sample_ms(stage, card, turn, from_bytes))
            if heard := said.first_and_last_heard_ms():
                first.add(who.name, heard[0])
                last.add(who.name, heard[1])

    in_rounds(stage, rounds, measure, AT_ONCE)
    return Comparison(
        "Turns in real time (speakerd with a minimum press of 0)",
        [to_start, to_audio, to_end, to_sample, first, last],
    )


def with_a_minimum_press(stage: Stage, turns: int) -> Comparison:
    """What is held back until the press is meant: speakerd alone, as shipped."""
    to_start = Row("minimum press over -> activityStart on the wire")
    to_backlog = Row("minimum press over -> whole backlog on the wire", target="≤ 20")
    with running(SPEAKERD, stage) as speakerd:
        speakerd.wait_for_connection()
        speakerd.wait_for_line()
        over(stage, speakerd)
        for _ in range(turns):
            said = over(stage, speakerd)
            meant_at = said.pressed_at + _MIN_PRESS_MS / 1000
            to_start.add(SPEAKERD, ms(meant_at, said.record.activity_start_at))
            to_backlog.add(SPEAKERD, ms(meant_at, caught_up_at(said.record)))
    title = f"Turns in real time (speakerd as shipped: a minimum press of {_MIN_PRESS_MS} ms)"
    return Comparison(title, [to_start, to_backlog])


def in_bursts(stage: Stage, card: Card, rounds: int, turns: int) -> Comparison:
    """Turns whose answer comes at once and is spoken into."""
    to_sample = _first_sample_row()
    to_silence = Row("edge -> last sample heard, less the card's", target="≤ 20")
    chance = random.Random(0)  # noqa: S311 - moments anywhere in a block of the card

    def measure(who: Contender) -> None:
        from_bytes = stage.card.heard_bytes()
        turn = say(stage, who, _HELD_BRIEFLY_S).record
        for _ in range(turns):
            sleep_until(known(turn.first_reply_at) + chance.uniform(0.2, 0.4))
            to_sample.add(who.name, _first_sample_ms(stage, card, turn, from_bytes))
            from_bytes, number = stage.card.heard_bytes(), newest_number(stage) + 1
            edge_at = who.press()
            silence_ms = recording.heard_after_ms(stage.card, edge_at)
            to_silence.add(who.name, silence_ms - statistics.median(card.drop_ms))
            who.release()
            turn = reply_to(stage, number)

    in_rounds(stage, rounds, measure, AT_ONCE)
    return Comparison("Turns with the answer in one burst, spoken into", [to_sample, to_silence])


def in_jitter(stage: Stage, card: Card, rounds: int, turns: int) -> Comparison:
    """Turns whose answer comes with gaps; it is stopped before its end."""
    to_sample = Row(_FIRST_SAMPLE)

    def measure(who: Contender) -> None:
        for _ in range(turns):
            from_bytes = stage.card.heard_bytes()
            turn = say(stage, who, _HELD_BRIEFLY_S).record
            sleep_until(known(turn.first_reply_at) + _PATIENT_S)
            to_sample.add(who.name, _first_sample_ms(stage, card, turn, from_bytes))

    in_rounds(stage, rounds, measure, AT_ONCE)
    return Comparison("Turns with the answer in jitter, gaps of up to 400 ms", [to_sample])


def with_the_link_down(stage: Stage, turns: int) -> Comparison:
    """Presses that have to connect first, beside what a connection takes by itself."""
    to_audio = Row("edge -> first audio on the wire (the others: a connection alone)")
    with running(SPEAKERD, stage, AT_ONCE | _WITHOUT_LINGERING) as speakerd:
        speakerd.wait_for_connection()
        speakerd.wait_for_line()
        over(stage, speakerd)
        for _ in range(turns):
            speakerd.wait_for_disconnection()
            time.sleep(_SETTLED_S)
            said = over(stage, speakerd)
            to_audio.add(SPEAKERD, ms(said.pressed_at, said.record.first_audio_at))
    for name in (BARE, FLOOR):  # a framework's connection is google-genai's, as bare's
        for value in connects_ms(stage, name, turns):
            to_audio.add(name, value)
    return Comparison("A press with the link down", [to_audio])


def _first_sample_row() -> Row:
    target = f"≤ {_PREBUFFER_MS + PERIOD_MS}: prebuffer + period"
    return Row(_FIRST_SAMPLE, target=target)


def _first_sample_ms(stage: Stage, card: Card, turn: TurnRecord, from_bytes: int) -> float:
    """From the simulator's first reply byte; watches the card for a while."""
    origin = recording.line(stage.card, time.monotonic() + recording.WATCHED_S)
    sound = bytes(turn.reply)
    heard_at = recording.first_heard_at(stage.card, sound, from_bytes, origin)
    return ms(turn.first_reply_at, heard_at) - statistics.median(card.write_ms)


def caught_up_at(turn: TurnRecord) -> float:
    """When no more of the utterance was missing than in its second half just before a chunk."""
    missing_s = []  # of each chunk: when it came, less how much of the utterance had come with it
    usual_s = []  # the same, just before it came
    heard_s = 0.0
    for at, size in zip(turn.chunk_at, turn.chunk_bytes, strict=True):
        usual_s.append(at - heard_s)
        heard_s += size / SAMPLE_BYTES / turn.rate_hz
        missing_s.append(at - heard_s)
    most_s = max(usual_s[len(usual_s) // 2 :])
    number = next(number for number, one in enumerate(missing_s) if one <= most_s)
    return turn.chunk_at[number]
