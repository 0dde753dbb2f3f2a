"""What becomes of an answer that comes unevenly, or to a machine that has no time for it.

The answer is noise, so that each of its samples is known in the card's recording
(:mod:`tests.bench.comparing`); what the server has sent when says what silence there would have
been without a buffer.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from speakerd.demo.soundcard import DAC_RATE_HZ
from speakerd.simulator import Outcome, Pacing, SimulatorOptions
from speakerd.simulator.audio import write_wav
from speakerd.simulator.faults import Phase, PrematureTurnComplete
from tests.bench.books import books_of
from tests.bench.comparing import compare, silence_unbuffered_ms
from tests.bench.contenders import FLOOR, SPEAKERD, running
from tests.bench.report import Comparison, Figure, Row, Section
from tests.bench.rig import noise
from tests.bench.stages import on_stage
from tests.bench.turns import ms, newest_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import TurnRecord
    from tests.bench.books import Books
    from tests.bench.comparing import Heard
    from tests.bench.contenders import Contender, Stage

_REPLY_S = 3.0
_ANSWERS = 10  # in a program's life
_HELD_S = 0.5
_FIRST_AUDIO_DELAY_S = 0.3
_EARLY_S = 1.0  # so much of the answer has been sent when turnComplete comes
_QUIET_BYTES = 2 * DAC_RATE_HZ  # after a second of silence nothing more is heard of an answer
_LOOK_EVERY_S = 0.05
_PATIENCE_S = 12.0  # with an answer that is not heard, though all of it was sent


@dataclass(frozen=True, slots=True)
class Condition:
    """What makes it hard."""

    name: str
    pacing: Pacing = Pacing.REALTIME
    early: bool = False  # turnComplete comes in the middle of the answer
    busy: int = 0  # so many processes that compute and do nothing else
    seeds: Sequence[int] = (0,)  # of the gaps: a program's life each


def conditions() -> list[Condition]:
    """All that are tried, the busy ones by how many cores this machine has."""
    cores = len(os.sched_getaffinity(0))
    return [
        Condition("even", Pacing.REALTIME),
        Condition("gaps of up to 400 ms", Pacing.JITTER, seeds=(1, 2, 3)),
        Condition(f"turnComplete after {_EARLY_S:g} s, the rest behind it", early=True),
        Condition("one core busy", busy=1),
        Condition(f"all {cores} cores busy", busy=cores),
    ]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: how it was heard, and what could be expected."""

    heard: Heard
    unbuffered_ms: float  # the silence that would have been in it without a buffer
    to_first_sample_ms: float | None  # from the first reply byte; by speakerd's own books
    underruns: int | None  # likewise


#: The answers of a program's life, in their order. None: the server has heard nothing to answer.
_Life: TypeAlias = list[Answer | None]


def under_all_conditions(
    card: StandInCard, cache: Path, progress: Callable[[str], None], names: Sequence[str]
) -> tuple[list[Comparison], list[Section]]:
    """What was heard under each condition, and how speakerd learns; the programs take turns.

    All of these ``names`` but the floor, which is no rival.
    """
    compared, own = [], []
    rivals = [name for name in names if name != FLOOR]
    with tempfile.TemporaryDirectory(prefix="speakerd-bench-") as directory:
        reply = Path(directory) / "reply.wav"
        write_wav(reply, noise(_REPLY_S, DAC_RATE_HZ), DAC_RATE_HZ)
        for condition in conditions():
            progress(f"the sound of an answer, {condition.name}")
            lives: dict[str, list[_Life]] = {name: [] for name in rivals}
            for seed in condition.seeds:
                options = SimulatorOptions(
                    reply=reply,
                    pacing=condition.pacing,
                    seed=seed,
                    transcription_delay_s=_FIRST_AUDIO_DELAY_S / 3,
                    first_audio_delay_s=_FIRST_AUDIO_DELAY_S,
                )
                for name in rivals:
                    live = functools.partial(_live, name=name, condition=condition)
                    lives[name].append(on_stage(card, cache, options, live))
            compared.append(_compared(condition, lives))
            if condition.pacing is Pacing.JITTER:
                own.append(_learning(lives[SPEAKERD]))
    return compared, own


def _live(stage: Stage, name: str, condition: Condition) -> _Life:
    if condition.early:
        early = PrematureTurnComplete(_EARLY_S, rest=True)
        # livekit-agents asks for two answers each time (Stage.turn)
        stage.simulator.plan.add(Phase.THINKING, early, times=2 * _ANSWERS)
    with running(name, stage) as contender, books_of(contender) as books:
        contender.wait_for_connection()
        contender.wait_for_line()
        with _busy(condition.busy):
            return [_turn(stage, contender, books) for _ in range(_ANSWERS)]


def _turn(stage: Stage, contender: Contender, books: Books | None) -> Answer | None:
    """Ask, hear the answer to its end, and look into the books, if there are any."""
    number = newest_number(stage) + 1
    from_bytes = stage.card.heard_bytes()
    pressed_at = contender.press()
    time.sleep(_HELD_S)
    contender.release()
    turn = stage.wait_for(lambda: _answered(stage, number))
    ledger = books.turn_ended(None) if books is not None else {}
    if not turn.reply:
        return None
    recording = _heard_to_its_end(stage.card, from_bytes)
    to_first_sample_ms = None
    if (since_press_ms := ledger.get("first_sample_ms")) is not None:
        to_first_sample_ms = ms(turn.first_reply_at, pressed_at + since_press_ms / 1000)
    return Answer(
        heard=compare(bytes(turn.reply), recording),
        unbuffered_ms=silence_unbuffered_ms(turn.reply_chunks),
        to_first_sample_ms=to_first_sample_ms,
        underruns=ledger.get("underruns"),
    )


def _answered(stage: Stage, number: int) -> TurnRecord | None:
    turn = stage.turn(number)
    return turn if turn is not None and turn.outcome is Outcome.COMPLETE else None


def _heard_to_its_end(card: StandInCard, from_bytes: int) -> bytes:
    """The recording, once there is nothing but silence at its end; a program may stay silent."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        recording = card.heard(from_bytes)
        over = recording.strip(b"\0") and not recording[-_QUIET_BYTES:].strip(b"\0")
        if over or time.monotonic() > deadline:
            return recording
        time.sleep(_LOOK_EVERY_S)


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that want a core each, at the priority of this one."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen((sys.executable, "-c", "while True: pass"))
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def _compared(condition: Condition, lives: Mapping[str, Sequence[_Life]]) -> Comparison:
    unbuffered = Row("silence without any buffer, by what the server sent when")
    inserted = Row("silence inserted")
    ratio = Row("all silence of a life, over that without a buffer", "", "≤ 0.5")
    gaps = Row("interruptions", "")
    lost = Row("samples lost", "", "0")
    misplaced = Row("samples in the wrong place", "", "0")
    first = Row("first reply byte -> first sample, by its own books")
    underruns = Row("underruns, by its own books", "")
    unheard = Row("questions that the server did not hear, in a life", "", "0")
    for name, all_lives in lives.items():
        for life in all_lives:
            answers = [answer for answer in life if answer is not None]
            unheard.add(name, len(life) - len(answers))
            for answer in answers:
                unbuffered.add(name, answer.unbuffered_ms)
                inserted.add(name, answer.heard.silence_ms)
                gaps.add(name, answer.heard.gaps)
                lost.add(name, answer.heard.lost)
                misplaced.add(name, answer.heard.misplaced)
                if answer.to_first_sample_ms is not None:
                    first.add(name, answer.to_first_sample_ms)
                if answer.underruns is not None:
                    underruns.add(name, answer.underruns)
            if (all_unbuffered_ms := sum(answer.unbuffered_ms for answer in answers)) > 0:
                all_inserted_ms = sum(answer.heard.silence_ms for answer in answers)
                ratio.add(name, all_inserted_ms / all_unbuffered_ms)
    rows = [unbuffered, inserted, ratio, gaps, lost, misplaced, first, underruns, unheard]
    return Comparison(f"The sound of an answer of {_REPLY_S:g} s: {condition.name}", rows)


def _learning(lives: Sequence[_Life]) -> Section:
    """The silence by the number of the turn in its life, to see the prebuffer learn."""
    figures = []
    for number, of_all in enumerate(zip(*lives, strict=True), start=1):
        if answers := [answer for answer in of_all if answer is not None]:
            inserted = [answer.heard.silence_ms for answer in answers]
            waited = [answer.to_first_sample_ms or 0.0 for answer in answers]
            figures += [
                Figure(f"answer {number}: silence inserted", "ms", inserted),
                Figure("  first reply byte -> first sample", "ms", waited),
            ]
    return Section("speakerd's prebuffer, from its start on, with gaps of up to 400 ms", figures)
