"""What today has cost: turns, tokens and an estimate in USD, kept across restarts."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from speakerd.service import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from speakerd.conversation.ledger import TurnRecord

_log = logging.getLogger(__name__)

FILE_NAME = "usage.json"

#: A clock that says less has not been set yet: this program is younger.
_EARLIEST = date(2026, 1, 1)
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens. Thoughts are billed as text that comes out."""

    audio_in: float
    text_in: float
    audio_out: float
    text_out: float


_LIVE = Price(audio_in=3.00, text_in=0.75, audio_out=12.00, text_out=4.50)

#: Paid tier, from https://ai.google.dev/gemini-api/docs/pricing as of 2026-10-09.
PRICES: dict[str, Price] = {
    "gemini-3.8-live": _LIVE,
    "gemini-3.1-flash-live-preview": _LIVE,
}


def cost_of(record: TurnRecord) -> float | None:
    """What a turn has cost in USD, by estimate; None where its tokens or its price are not known.

    Tokens that are not known to be text count as sound, which is dearer.
    """
    usage, price = record.usage, PRICES.get(record.model.removeprefix("models/"))
    if usage is None or price is None:
        return None
    audio_in = max(0, usage.prompt_tokens - usage.prompt_text_tokens)
    audio_out = max(0, usage.response_tokens - usage.response_text_tokens)
    text_out = usage.response_text_tokens + usage.thought_tokens
    millionths = (
        audio_in * price.audio_in
        + usage.prompt_text_tokens * price.text_in
        + audio_out * price.audio_out
        + text_out * price.text_out
    )
    return round(millionths / 1_000_000, 6)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a day. ``cost_usd`` is None where a price was not known."""

    turns: int = 0
    prompt_tokens: int = 0
    response_tokens: int = 0
    cost_usd: float | None = 0.0

    def plus(self, record: TurnRecord) -> Totals:
        """With one turn more."""
        usage = record.usage
        if usage is None:
            return Totals(self.turns + 1, self.prompt_tokens, self.response_tokens, self.cost_usd)
        cost = cost_of(record)
        return Totals(
            self.turns + 1,
            self.prompt_tokens + usage.prompt_tokens,
            self.response_tokens + usage.response_tokens,
            None if cost is None or self.cost_usd is None else round(self.cost_usd + cost, 6),
        )


def _local_date() -> date:
    return datetime.now().astimezone().date()


class Tally:
    """Counts the turns of the day, in ``directory`` or in memory only where that is None.

    Never raises: a disk that is full or read-only costs only the figures. A day ends at midnight
    by the local clock, ``today()``; while the clock is obviously wrong, as on a Pi that has just
    started, the day goes on that was.
    """

    def __init__(self, directory: Path | None, today: Callable[[], date] = _local_date) -> None:
        self._path = directory / FILE_NAME if directory is not None else None
        self._today = today
        self._kept: tuple[date | None, Totals] = (None, Totals())
        self._written: tuple[date | None, Totals] = self._kept
        self._complained = False

    def load(self) -> None:
        """Go on with what was saved last. Blocks; to be called before anything is added."""
        if self._path is None:
            return
        try:
            self._kept = self._written = _decoded(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, OverflowError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            _log.warning("%s is ignored, the day is counted anew: %s", self._path, reason)

    def add(self, record: TurnRecord) -> None:
        """A turn is over."""
        day, totals = self._by_now()
        self._kept = (day, totals.plus(record))

    @property
    def totals(self) -> Totals:
        """Today's."""
        return self._by_now()[1]

    def save(self) -> None:
        """Keep what has been added. Blocks; in any thread, but only in one at a time."""
        kept = self._kept
        if self._path is None or kept == self._written:
            return  # SD cards wear
        day, totals = kept
        content = {"day": day.isoformat() if day else None, **asdict(totals)}
        try:
            files.replace(self._path, json.dumps(content))
        except OSError as error:
            if not self._complained:
                _log.warning(
                    "%s cannot be written, a restart forgets today's turns and cost: %s",
                    self._path,
                    error.strerror,
                )
            self._complained = True
        else:
            self._written = kept
            self._complained = False

    def _by_now(self) -> tuple[date | None, Totals]:
        """The day and its sums; what was counted before the clock was set belongs to today."""
        day, totals = self._kept
        today = self._today()
        if today < _EARLIEST or (day is not None and day - _A_DAY <= today <= day):
            return day, totals  # also where another time zone has put it a day back
        return today, totals if day is None else Totals()


def _decoded(content: Any) -> tuple[date | None, Totals]:  # noqa: ANN401 - whatever JSON can hold
    match content:
        case {
            "day": str() | None as day,
            "turns": int(turns),
            "prompt_tokens": int(prompt),
            "response_tokens": int(response),
            "cost_usd": int() | float() | None as cost,
        } if min(turns, prompt, response) >= 0 and (cost is None or _is_a_sum(cost)):
            return date.fromisoformat(day) if day else None, Totals(turns, prompt, response, cost)
        case _:
            raise ValueError("it is not a saved day")


def _is_a_sum(cost: float) -> bool:
    return math.isfinite(cost) and cost >= 0
