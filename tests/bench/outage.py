"""A long utterance, and no network for a part of it: how long until all of it is on the wire.

The network is a relay, which refuses and ends all connections while it is cut: as a router does
that has lost its own. (What a network does that swallows everything, tests/network shows.)
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from speakerd.demo.soundcard import DAC_RATE_HZ
from speakerd.errors import UnavailableError
from speakerd.simulator import Pacing, SimulatorOptions
from speakerd.simulator.audio import NATIVE_RATE_HZ, duration_s, write_wav
from tests.bench.books import books_of
from tests.bench.contenders import SPEAKERD, running
from tests.bench.report import Figure, Section
from tests.bench.rig import noise, sleep_until
from tests.bench.stages import on_stage
from tests.bench.turns import ms
from tests.network.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from pathlib import Path

    from speakerd.demo.soundcard import StandInCard
    from speakerd.simulator import TurnRecord
    from tests.bench.contenders import Stage

T = TypeVar("T")

TAIL_S = 0.3
_REPLY_S = 0.5
#: The connections of a minute are limited: the first of the daemon's life is not to be one of them.
_LINK_AGE_S = 61.0
_LONGER_S = 10  # than it is here an utterance may be
#: So much is captured and not sent yet, at most, when it goes out as it is spoken.
_UNDER_WAY_S = 0.2


class Spoken(NamedTuple):
    """What became of one utterance. Times are of ``time.monotonic()``."""

    pressed_at: float
    back_at: float  # the network
    released_at: float
    turn: TurnRecord  # of the delivery that counted
    deliveries: int


def spoken_offline(
    card: StandInCard, cache: Path, directory: Path, seconds: float, times: int
) -> Section:
    """Utterances of ``seconds``, with the network away for the middle third of each."""
    reply = directory / "short.wav"
    write_wav(reply, noise(_REPLY_S, DAC_RATE_HZ), DAC_RATE_HZ)
    options = SimulatorOptions(reply=reply, pacing=Pacing.BURST, first_audio_delay_s=0.0)
    said = on_stage(
        card, cache, options, lambda stage: [_speak(stage, seconds) for _ in range(times)]
    )
    return Section(
        f"{seconds:g} s of speech, no network from {seconds / 3:g} s to {2 * seconds / 3:g} s",
        [
            Figure(
                "network back -> activityStart",
                "ms",
                [ms(one.back_at, one.turn.activity_start_at) for one in said],
            ),
            Figure(
                "activityStart -> caught up with the speech",
                "ms",
                [ms(one.turn.activity_start_at, caught_up_at(one)) for one in said],
            ),
            Figure(
                "release, less the tail -> activityEnd",
                "ms",
                [ms(one.released_at + TAIL_S, one.turn.activity_end_at) for one in said],
            ),
            Figure(
                "press -> activityEnd",
                "s",
                [ms(one.pressed_at, one.turn.activity_end_at) / 1000 for one in said],
            ),
            Figure(
                "  for comparison: press -> release, and the tail",
                "s",
                [one.released_at + TAIL_S - one.pressed_at for one in said],
            ),
            Figure("deliveries that were begun", "", [one.deliveries for one in said]),
        ],
    )


def _speak(stage: Stage, seconds: float) -> Spoken:
    with _relay(stage) as relay:
        options = {
            "GOOGLE_GEMINI_BASE_URL": f"https://127.0.0.1:{relay.port}",
            "SPEAKERD_MAX_UTTERANCE_S": f"{seconds + _LONGER_S:g}",
        }
        with running(SPEAKERD, stage, options) as daemon, books_of(daemon) as books:
            assert books is not None
            connected_at = daemon.wait_for_connection().opened_at
            sleep_until(connected_at + _LINK_AGE_S)
            stage.card.play_into_microphone(noise(seconds, NATIVE_RATE_HZ))
            pressed_at = daemon.press()
            sleep_until(pressed_at + seconds / 3)
            _in_loop(stage, _cut(relay))
            sleep_until(pressed_at + 2 * seconds / 3)
            _in_loop(stage, relay.open())
            back_at = time.monotonic()
            sleep_until(pressed_at + seconds)
            released_at = daemon.release()
            ledger = books.turn_ended()
            turn = stage.simulator.turns[-1]
            return Spoken(pressed_at, back_at, released_at, turn, ledger["deliveries"])


@contextlib.contextmanager
def _relay(stage: Stage) -> Iterator[Relay]:
    relay = Relay(stage.simulator.port)
    _in_loop(stage, relay.__aenter__())
    try:
        yield relay
    finally:
        _in_loop(stage, relay.__aexit__())


async def _cut(relay: Relay) -> None:
    await relay.close()
    relay.reset()


def _in_loop(stage: Stage, coroutine: Coroutine[None, None, T]) -> T:
    return asyncio.run_coroutine_threadsafe(coroutine, stage.loop).result()


def caught_up_at(said: Spoken) -> float:
    """When the server had all that had been captured by then, but for what was under way."""
    sent_bytes = 0
    for size_bytes, at in zip(said.turn.chunk_bytes, said.turn.chunk_at, strict=True):
        sent_bytes += size_bytes
        still_to_come_s = max(0.0, said.released_at + TAIL_S - at)
        captured_s = said.turn.utterance_s - still_to_come_s
        if captured_s - duration_s(sent_bytes, NATIVE_RATE_HZ) <= _UNDER_WAY_S:
            return at
    raise UnavailableError("the utterance was not delivered whole")
