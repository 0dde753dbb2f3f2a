"""Tokens in place of a key: they fail to come, expire and are refused, and what is heard of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from speakerd.simulator import catalogue, faults
from speakerd.simulator.faults import Phase
from tests.faults.story import BRISK
from tests.protocol.rig import SPEECH, Rig
from tests.protocol.shop import CLOSED, Shop

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.simulator.server import Simulator


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def speaker(tmp_path: Path, shop: Shop, **options: Any) -> Rig:  # noqa: ANN401 - as Rig
    rules = BRISK | options.pop("rules", {})
    return Rig(tmp_path, key="", token_command=shop.command, rules=rules, **options)


async def test_a_conversation_without_a_key(
    simulator: Simulator, tmp_path: Path, shop: Shop
) -> None:
    shop.stock(simulator.mint())
    rig = speaker(tmp_path, shop)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
        await rig.state("idle")
        simulator.close()
        await rig.link("down")
        await rig.say_aloud()
        assert (await rig.turn(2))["context"] == "resumed"
    assert shop.asked == 1  # to resume is no use of it


async def test_what_is_said_while_no_token_comes_is_delivered_when_one_does(
    simulator: Simulator, tmp_path: Path, shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    rig = speaker(tmp_path, shop)
    async with rig.running():
        await rig.until(lambda: CLOSED in caplog.text)
        await rig.say_aloud()
        await rig.state("thinking")
        shop.stock(simulator.mint())
        assert (await rig.turn())["outcome"] == "answered"
    assert [bytes(turn.utterance) for turn in simulator.turns] == [SPEECH]
    assert rig.speaker.clips == []
    assert "auth_tokens" not in caplog.text


async def test_what_is_said_and_no_token_comes_is_told_and_the_next_press_works(
    simulator: Simulator, tmp_path: Path, shop: Shop
) -> None:
    rig = speaker(tmp_path, shop, patience_s=1)
    async with rig.running():
        await rig.say_aloud()
        ledger = await rig.turn()
        assert (ledger["outcome"], ledger["deliveries"]) == ("not-delivered", 0)
        await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.NOT_DELIVERED)])
        status = await rig.command("status")
        assert status["last_error"] == CLOSED
        assert "speakerd doctor" in status["last_error_remedy"]
        shop.stock(simulator.mint())
        await rig.say_aloud()
        assert (await rig.turn(2))["outcome"] == "answered"


async def test_tries_for_a_token_do_not_use_up_the_connections_of_a_minute(
    simulator: Simulator, tmp_path: Path, shop: Shop
) -> None:
    rig = speaker(tmp_path, shop, link="always", rules={"backoff_max_s": 0.05})
    async with rig.running():
        await rig.until(lambda: shop.asked > 12)  # of which ten would be all
        shop.stock(simulator.mint())
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"


@pytest.mark.parametrize("closing", [catalogue.TOKEN_EXPIRED, catalogue.UNAVAILABLE])
async def test_a_token_that_is_no_longer_taken_is_replaced_without_a_word(
    simulator: Simulator, tmp_path: Path, shop: Shop, closing: catalogue.Closing
) -> None:
    shop.stock(simulator.mint(), simulator.mint())
    rig = speaker(tmp_path, shop)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        await rig.turn()
        await rig.state("idle")
        simulator.plan.add(Phase.SETUP, faults.Close.of(closing))
        simulator.close()
        await rig.link("down")
        await rig.say_aloud()
        ledger = await rig.turn(2)
    assert (ledger["outcome"], ledger["context"]) == ("answered", "resumed")
    assert shop.asked == 2
    assert rig.speaker.clips == []


async def test_a_token_that_expires_before_the_answer_costs_the_person_nothing(
    simulator: Simulator, tmp_path: Path, shop: Shop
) -> None:
    shop.stock(simulator.mint(), simulator.mint())
    closing = faults.Close.of(catalogue.TOKEN_EXPIRED)
    simulator.plan.add(Phase.THINKING, closing, turn=1)
    rig = speaker(tmp_path, shop)
    async with rig.running():
        await rig.link("ready")
        await rig.say_aloud()
        ledger = await rig.turn()
    assert (ledger["outcome"], ledger["deliveries"]) == ("answered", 2)
    assert rig.speaker.clips == []


async def test_tokens_that_are_refused_are_told_and_mended_by_the_next_press(
    simulator: Simulator, tmp_path: Path, shop: Shop
) -> None:
    shop.stock("auth_tokens/not-of-here", "auth_tokens/nor-this")
    rig = speaker(tmp_path, shop)
    async with rig.running():
        await rig.state("error")
        assert shop.asked == 2
        await rig.until(lambda: rig.speaker.clips == [earcons.render(Notice.KEY_REFUSED)])
        shop.stock(simulator.mint())
        await rig.say_aloud()
        assert (await rig.turn())["outcome"] == "answered"
