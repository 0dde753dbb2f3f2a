"""A press while there is no connection: nothing is lost, and nobody waits in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.simulator import faults
from speakerd.simulator.faults import Phase
from tests.faults.story import BRISK
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator

LATER = SPEECH[::-1]


async def test_a_backlog_is_sent_faster_than_it_was_spoken(
    simulator: Simulator, tmp_path: Path
) -> None:
    """A minute is spoken while the connection is made; nobody here has the patience for that."""
    rig = Rig(tmp_path, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        simulator.close()
        await rig.link("down")
        rig.button.edge(pressed=True)
        await rig.state("listening")
        rig.hear(60 * SPEECH)
        rig.button.edge(pressed=False)
        assert (await rig.turn())["outcome"] == "answered"
    assert simulator.turns[0].utterance == 60 * SPEECH


async def test_two_sentences_while_the_network_is_down_are_both_delivered_in_order(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        simulator.plan.add(Phase.UPGRADE, faults.Abort(), times=1000)
        simulator.drop()
        await rig.link("down")
        await rig.say_aloud()
        await rig.state("thinking")
        await rig.say_aloud(LATER)
        assert (await rig.turn())["outcome"] == "spoken-on"
        simulator.script = faults.Plan()
        assert (await rig.turn(2))["outcome"] == "answered"
    assert [bytes(turn.utterance) for turn in simulator.turns] == [SPEECH, LATER]
    assert rig.speaker.heard[2] == simulator.turns[-1].reply
    assert rig.speaker.clips == []


async def test_a_network_that_does_not_come_back_in_time_is_told_and_the_next_press_works(
    simulator: Simulator, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, patience_s=1, rules=BRISK)
    async with rig.running():
        await rig.link("ready")
        simulator.plan.add(Phase.UPGRADE, faults.Abort(), times=1000)
        simulator.drop()
        await rig.link("down")
        await rig.say_aloud()
        ledger = await rig.turn()
        assert (ledger["outcome"], ledger["deliveries"]) == ("not-delivered", 0)
        await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.NOT_DELIVERED)])
        simulator.script = faults.Plan()
        await rig.say_aloud(LATER)
        assert (await rig.turn(2))["outcome"] == "answered"
    assert [bytes(turn.utterance) for turn in simulator.turns] == [LATER]


async def test_a_press_wakes_a_sleeping_backoff(simulator: Simulator, tmp_path: Path) -> None:
    rig = Rig(tmp_path, link="always", rules=BRISK | {"backoff_first_s": 0.001})
    simulator.plan.add(Phase.UPGRADE, faults.HttpStatus(429), times=1)
    async with rig.running():
        await rig.until(lambda: rig.speaker.clips != [])  # and it sleeps for a minute or two
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
