"""The last answer, to be heard again: in memory only, and not at all where nobody wants it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from speakerd.audio.pcm import PLAYABLE_RATES_HZ, PLAYBACK_RATE_HZ, bytes_of_ms

if TYPE_CHECKING:
    from speakerd.conversation.ledger import TurnRecord

#: How much is kept of an answer, from its beginning: a minute, 2.9 MB.
MOST_BYTES = bytes_of_ms(60_000, PLAYBACK_RATE_HZ)


@dataclass(slots=True)
class _Answer:
    rate_hz: int
    pcm: bytearray = field(default_factory=bytearray)


class Answers:
    """What the speaker is given of each answer, as far as it may be asked for once more.

    Follows what the speaker is told: it takes what that takes. Three answers at most are there at a
    time: the last one, one whose books are still open, and the one that comes.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._expected: int | None = None
        self._answers: dict[int, _Answer] = {}  # by their turns

    def want(self, wanted: bool) -> None:
        """Keep them from now on, or none."""
        self._wanted = wanted
        if not wanted:
            self.forget()

    def expect(self, turn: int) -> None:
        """The answer of ``turn`` may come, from its beginning."""
        self._expected = turn
        self._answers.pop(turn, None)

    def silenced(self) -> None:
        """Nothing more of any answer is heard."""
        self._expected = None

    def feed(self, turn: int, pcm: bytes, rate_hz: int) -> None:
        """Some of an answer has come: S16_LE mono. One that changes its rate begins anew."""
        if not self._wanted or turn != self._expected or rate_hz not in PLAYABLE_RATES_HZ:
            return
        answer = self._answers.get(turn)
        if answer is None or answer.rate_hz != rate_hz:
            answer = self._answers[turn] = _Answer(rate_hz)
        answer.pcm += pcm[: MOST_BYTES - len(answer.pcm)]

    def ended(self, record: TurnRecord) -> None:
        """A turn is over. What was said in one that repeats another is none to be kept."""
        if record.first_reply_at is None or record.repeats:
            self._answers.pop(record.turn, None)
        else:
            self._answers = {turn: a for turn, a in self._answers.items() if turn >= record.turn}

    def forget(self) -> None:
        """Nothing of all this was ever said."""
        self._answers.clear()

    def of(self, turn: int) -> tuple[bytes, int]:
        """What there is of the answer of that turn, and its rate in Hz; nothing for no answer."""
        answer = self._answers.get(turn)
        return (b"", PLAYBACK_RATE_HZ) if answer is None else (bytes(answer.pcm), answer.rate_hz)
