"""The real daemon with a person's patience scaled down, and what the person is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from speakerd.audio import earcons
from tests.protocol.rig import SPEECH, Rig

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.conversation.effects import Notice

#: An order of magnitude quicker than in life, in the same proportions; the number of connections
#: in a minute is as in life.
RULES: dict[str, Any] = {
    "connect_timeout_s": 0.5,
    "close_timeout_s": 0.3,
    "reply_timeout_s": 1.0,
    "patience_s": 4.0,
    "backoff_first_s": 0.05,
    "backoff_max_s": 0.2,
    "backoff_urgent_s": 0.1,
}
#: Hardly any pause between two connections: what is left is the limit of so many in a minute.
HASTY = {"backoff_first_s": 0.001, "backoff_max_s": 0.001, "backoff_urgent_s": 0.001}


class Person(Rig):
    """Speaks to a running daemon, and hears what comes of it."""

    def __init__(self, directory: Path, **options: Any) -> None:  # noqa: ANN401 - any setting or rule
        rules = {name: options.pop(name) for name in set(options) & set(RULES)}
        # A dead peer costs this much at every close.
        timeouts = {"close_s": 0.1} | options.pop("timeouts", {})
        super().__init__(directory, rules=RULES | rules, timeouts=timeouts, **options)
        self._said = 0

    async def says(self) -> int:
        """Say a sentence; returns its turn's number when the button is let go."""
        self._said += 1
        await self.say_aloud()
        return self._said

    async def has_a_turn(self) -> dict[str, Any]:
        """Say a sentence, and wait for what comes of it: the turn's ledger."""
        return await self.turn(await self.says())

    def was_told(self, *notices: Notice) -> bool:
        """Whether these are the notices that were heard, all of them; some sound alike."""
        return self.speaker.clips == [earcons.render(notice) for notice in notices]

    async def status_says(self, words: str) -> None:
        """Wait until the last error that the status tells of has these ``words`` in it."""
        async with asyncio.timeout(10):
            while words not in str((await self.command("status"))["last_error"]):  # noqa: ASYNC110 - it is nowhere announced
                await asyncio.sleep(0.01)


__all__ = ["HASTY", "RULES", "SPEECH", "Person"]
