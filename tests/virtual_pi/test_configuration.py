"""What a person has forgotten or mistyped: told where they look, and nothing runs in circles."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from speakerd.audio import earcons
from speakerd.conversation.effects import Notice
from tests.virtual_pi.pi import ENV_FILE
from tests.virtual_pi.sound import words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from speakerd.simulator.server import Simulator
    from tests.virtual_pi.pi import Pi

STORED = "/etc/credstore/gemini-api-key"


@pytest.fixture
async def key(pi: Pi, simulator: Simulator) -> AsyncIterator[str]:
    """The key; stored again afterwards."""
    (right,) = simulator.options.keys
    yield right
    await pi.root.run(f"install -m 600 /dev/stdin {STORED}", given=right.encode())


async def refused_to_start(pi: Pi) -> str:
    """It has ended with 78 and is not started again; what ``systemctl status`` says."""
    await pi.root.until("systemctl is-failed speakerd")
    unit = await pi.unit("ActiveState", "NRestarts", "ExecMainStatus")
    assert unit == {"ActiveState": "failed", "NRestarts": "0", "ExecMainStatus": "78"}
    return (await pi.root.ask("systemctl status --no-pager --full speakerd")).out


async def start(pi: Pi) -> None:
    """As a person who has just changed something does; it may fail."""
    await pi.me.ask("sudo systemctl reset-failed speakerd; sudo systemctl restart speakerd")


@pytest.mark.usefixtures("key")
async def test_no_key(pi: Pi) -> None:
    await pi.root.run(f"rm {STORED}")
    await start(pi)
    assert "sudo speakerd key" in await refused_to_start(pi)

    mark = await pi.journal.mark()
    await pi.store_key()
    await pi.ready(since=mark)
    assert (await pi.say(words(0.6)))["SPEAKERD_OUTCOME"] == "answered"


async def test_a_bad_value(pi: Pi) -> None:
    await pi.configure(SPEAKERD_TAIL_MS="a-little")
    await start(pi)
    told = await refused_to_start(pi)
    assert "SPEAKERD_TAIL_MS" in told
    assert "a-little" in told

    await pi.configure()
    await pi.restart()


async def test_a_bad_value_at_a_reload_changes_nothing(pi: Pi) -> None:
    before = await pi.pid()
    await pi.configure(SPEAKERD_TAIL_MS="a-little")
    result = await pi.me.ask("sudo systemctl reload speakerd")
    assert result.code != 0
    assert "SPEAKERD_TAIL_MS" in (await pi.root.ask("systemctl status --no-pager speakerd")).out

    assert (await pi.say(words(0.6)))["SPEAKERD_OUTCOME"] == "answered"
    assert await pi.pid() == before


async def test_a_key_that_the_server_refuses(pi: Pi, simulator: Simulator, key: str) -> None:
    mark = await pi.journal.mark()
    await pi.root.run(f"rm {STORED}")
    await pi.configure(GEMINI_API_KEY="not-a-key-that-works")
    await pi.restart()
    await pi.journal.wait(since=mark, text="API key not valid")  # it has tried by itself
    pid, before = await pi.pid(), len(simulator.connections)

    async with pi.listening("refused-key"):
        for seed in (20, 21):
            turn = await pi.say(words(0.6, seed=seed))
            assert turn["SPEAKERD_OUTCOME"] == "not-delivered", turn
        await pi.hears(earcons.render(Notice.KEY_REFUSED))

    assert "sudo speakerd key" in pi.journal.messages(mark)
    status = await pi.status()
    assert status["state"] == "error"
    assert "key" in status["summary"]
    assert "key" in (await pi.unit("StatusText"))["StatusText"]
    assert len(simulator.connections) - before == 2, "no more than a try for each press"
    assert (await pi.unit("ActiveState", "NRestarts")) == {
        "ActiveState": "active",
        "NRestarts": "0",
    }

    await pi.root.run(f"sed -i s/not-a-key-that-works/{key}/ {ENV_FILE}")
    await pi.me.run("sudo speakerd reload")
    assert (await pi.say(words(0.6, seed=22)))["SPEAKERD_OUTCOME"] == "answered"
    assert await pi.pid() == pid
