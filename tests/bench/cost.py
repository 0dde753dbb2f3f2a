"""What a turn, a conversation and a link cost: processor, memory, bytes on the wire.

A turn is counted over the same time for everybody: from before the press until half a second after
its reply can have been heard.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.bench import process
from tests.bench.report import Comparison, Row
from tests.bench.rig import sleep_until
from tests.bench.turns import in_rounds, known, over, say, wait_until_over

if TYPE_CHECKING:
    from speakerd.simulator.traffic import Traffic
    from tests.bench.contenders import Contender, Stage
    from tests.bench.turns import Said

_IN_THE_REPLY_S = 1.5  # when its memory is looked at
_SETTLED_S = 1.0
_MINUTE_S = 60.0


class _Memory:
    """What is held at one moment, as rows of the table."""

    def __init__(self, when: str, rss_target: str = "") -> None:
        self.rows = [Row(f"RSS, {when}", "MiB", rss_target), Row(f"PSS, {when}", "MiB")]

    def look(self, who: Contender) -> None:
        """Note what it holds now."""
        self.rows[0].add(who.name, process.rss_mib(who.pid))
        self.rows[1].add(who.name, process.pss_mib(who.pid))


def of_turns(stage: Stage, rounds: int, turns: int) -> list[Comparison]:
    """Turns one after another, and what is held between and in them."""
    idle = _Memory("link up, after a turn", "≤ 0.85 of bare")
    in_turn = _Memory("in a turn")
    used = process.Rows("a turn", "≤ 0.6 of bare")
    in_a_minute = Row("a minute of turns: CPU")
    up = Row("bytes sent, of the utterance's raw PCM", "%")
    down = Row("bytes received, of the reply's raw PCM", "%")

    def measure(who: Contender) -> None:
        time.sleep(_SETTLED_S)
        for _ in range(turns):
            idle.look(who)
            traffic = stage.simulator.traffic()
            said = say(stage, who)
            sleep_until(known(said.record.first_reply_at) + _IN_THE_REPLY_S)
            in_turn.look(who)
            wait_until_over(said)
            spent = process.counters(who.pid).since(said.before)
            used.add(who.name, spent)
            share_of_a_minute = (time.monotonic() - said.pressed_at) / _MINUTE_S
            in_a_minute.add(who.name, 1000 * spent.cpu_s / share_of_a_minute)
            _weigh(who.name, said, traffic, stage.simulator.traffic(), up, down)

    in_rounds(stage, rounds, measure)
    return [
        Comparison("A turn of 1 s of speech and 3 s of reply", [*used.all(), in_a_minute]),
        Comparison("Memory", [*idle.rows, *in_turn.rows]),
        Comparison("On the wire, TLS and frames included", [up, down]),
    ]


def with_deflate(stage: Stage, turns: int) -> Comparison:
    """One round with a server that compresses for whoever asks it to."""
    used = Row("a turn: CPU")
    up = Row("bytes sent, of the utterance's raw PCM", "%")
    down = Row("bytes received, of the reply's raw PCM", "%")

    def measure(who: Contender) -> None:
        for _ in range(turns):
            traffic = stage.simulator.traffic()
            said = over(stage, who)
            used.add(who.name, 1000 * process.counters(who.pid).since(said.before).cpu_s)
            _weigh(who.name, said, traffic, stage.simulator.traffic(), up, down)

    in_rounds(stage, 1, measure)
    return Comparison("The same with a server that agrees to compress", [used, up, down])


def _weigh(name: str, said: Said, before: Traffic, after: Traffic, up: Row, down: Row) -> None:
    turn = said.record
    up.add(name, 100 * (after.received - before.received) / len(turn.utterance))
    down.add(name, 100 * (after.sent - before.sent) / len(turn.reply))
