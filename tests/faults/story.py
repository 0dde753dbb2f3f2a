"""Plays one row of the table with the real daemon, the real SDK and the simulator."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.service import wording
from speakerd.simulator import faults
from speakerd.simulator.records import Outcome
from tests.faults.table import Row, When
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from speakerd.simulator.server import Simulator

#: The first half of a sentence, long enough for the fault to happen in it, and the second.
HALVES = SPEECH[: len(SPEECH) // 2], SPEECH[len(SPEECH) // 2 :]
#: No waiting where nothing is proved by it.
BRISK: dict[str, Any] = {
    "backoff_first_s": 0.05,
    "backoff_urgent_s": 0.2,
    "go_away_margin_s": 0.1,
    "handle_grace_s": 5.0,
}
_NOTICES = {wording.notice_line(notice): notice for notice in Notice}


class Story:
    """Three sentences, the second of which meets with a fault."""

    def __init__(self, row: Row, simulator: Simulator, directory: Path) -> None:
        self.row = row
        self.simulator = simulator
        self.rig = Rig(
            directory,
            rules=BRISK | dict(row.rules),
            tools_of_its_own=row.tools,
            **row.settings,
        )

    async def play(self, log: pytest.LogCaptureFixture) -> None:
        rig, row = self.rig, self.row
        async with rig.running():
            await self._first_turn()
            log.set_level(logging.INFO, "speakerd")
            log.clear()
            row.prepare(self.simulator)
            for act in row.act:
                await self._act(act)
            if any(isinstance(act, faults.GoAway) for act in row.act):
                await rig.link("down")  # or a press may be quicker than the message
            ledger = await self._second_turn()
            heard = (ledger["outcome"], ledger["deliveries"], ledger["context"])
            assert heard == (row.outcome, row.deliveries, row.context)
            await rig.until(lambda: len(rig.speaker.clips) >= len(row.told))
            self._check_the_answer()
            if row.quiet:
                warnings = [r.getMessage() for r in log.records if r.levelno >= logging.WARNING]
                assert warnings == []
            await self._third_turn()
            told = [_NOTICES[line] for line in log.messages if line in _NOTICES]
            assert told == list(row.told)
            assert rig.speaker.clips == [earcons.render(notice) for notice in told]
            status = await rig.command("status")
            assert {name: status[name] for name in row.status} == dict(row.status)
        self._check_the_connections()

    async def _first_turn(self) -> None:
        rig = self.rig
        await rig.link("ready")
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
        # the conversation is what the server remembers, not what it will
        await self.simulator.wait_for(lambda: len(self.simulator.connections[-1].handles) > 1)
        await rig.state("idle")
        if self.row.remade:
            self.simulator.close()
            await rig.link("down")

    async def _act(self, act: faults.Act) -> None:
        """To the connection of the first turn, while it lasts."""
        try:
            self.simulator.act(act)
        except LookupError:
            assert isinstance(act, faults.GoAway | faults.Silence), "it was obeyed at once"
        if isinstance(act, faults.Close | faults.Abort) or "oversized" in self.row.id:
            await self.rig.link("down")

    async def _second_turn(self) -> dict[str, Any]:
        rig, simulator = self.rig, self.simulator
        if self.row.when is not When.UTTERANCE:
            await rig.say_aloud()
            return await rig.turn(2)
        connections = len(simulator.connections)
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.hear(HALVES[0])
        if self.row.breaks:
            await simulator.wait_for(lambda: len(simulator.connections) > connections)
            await rig.link("ready")
        else:
            await simulator.wait_for(lambda: simulator.turns[-1].utterance_s >= 0.4)
        if rig.microphone.open_on is not None:  # otherwise it has been refused meanwhile
            rig.hear(HALVES[1])
        rig.button.edge(pressed=False)
        return await rig.turn(2)

    async def _third_turn(self) -> None:
        """Whatever has happened, the next press works, and the conversation goes on."""
        rig = self.rig
        await rig.until(lambda: rig.states[-1] in {"idle", "error"})
        await rig.say_aloud()
        ledger = await rig.turn(3)
        assert ledger["outcome"] == "answered"
        turn = self.simulator.turns[-1]
        assert rig.speaker.heard[ledger["turn"]] == turn.reply
        assert (1 in turn.context) is not self.row.anew

    def _check_the_answer(self) -> None:
        """What came of the answer was heard, all of it."""
        heard = self.rig.speaker.heard.get(2, b"")
        answered = [turn for turn in self.simulator.turns if turn.number > 1 and turn.reply]
        expected = bytes(answered[-1].reply) if answered else b""
        assert heard == expected

    def _check_the_connections(self) -> None:
        """One at a time; whatever was taken for an utterance was all of it."""
        records = sorted(self.simulator.connections, key=lambda record: record.opened_at)
        for before, after in itertools.pairwise(records):
            if before.closed_at is None:
                assert "held" in self.row.id, "the server did not see it close"
            else:
                assert before.closed_at <= after.opened_at
        for turn in self.simulator.turns:
            if turn.activity_end_at is not None and turn.outcome is not Outcome.LOST:
                assert turn.utterance == SPEECH
