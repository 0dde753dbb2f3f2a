"""What it has cost: tokens, and an estimate in USD, of today and in all, kept across restarts."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from speakerd.config.prices import price_of
from speakerd.service import files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from speakerd.config.prices import Price
    from speakerd.conversation.events import Usage
    from speakerd.conversation.ledger import TurnRecord

_log = logging.getLogger(__name__)

FILE_NAME = "usage.json"

#: A clock that says less has not been set yet: this program is younger.
_EARLIEST = date(2026, 1, 1)
_A_DAY = timedelta(days=1)
_NO_DAY = "it is not a saved day"


def cost_of(usage: Usage, price: Price) -> float:
    """What tokens cost in USD, by estimate."""
    millionths = (
        usage.audio_in * price.audio_in
        + usage.text_in * price.text_in
        + usage.image_in * price.image_in
        + usage.audio_out * price.audio_out
        + (usage.text_out + usage.thought_tokens) * price.text_out
    )
    return round(millionths / 1_000_000, 6)


def by_modality(usage: Usage) -> dict[str, int]:
    """The tokens as they are priced, for programs; those of tools are among what went in."""
    return {
        "audio_in_tokens": usage.audio_in,
        "text_in_tokens": usage.text_in,
        "image_in_tokens": usage.image_in,
        "audio_out_tokens": usage.audio_out,
        "text_out_tokens": usage.text_out,
        "thought_tokens": usage.thought_tokens,
        "tool_tokens": usage.tool_tokens,
    }


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums. ``cost_usd`` is without the ``unpriced_tokens``, whose price was not known."""

    turns: int = 0
    prompt_tokens: int = 0
    response_tokens: int = 0
    cost_usd: float = 0.0
    audio_in_tokens: int = 0
    text_in_tokens: int = 0
    image_in_tokens: int = 0
    audio_out_tokens: int = 0
    text_out_tokens: int = 0
    thought_tokens: int = 0
    tool_tokens: int = 0
    unpriced_tokens: int = 0

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        sums = {name: value + getattr(other, name) for name, value in asdict(self).items()}
        return Totals(**sums | {"cost_usd": round(sums["cost_usd"], 6)})


def _totals_of(usage: Usage, price: Price | None) -> Totals:
    """The sums of one count."""
    return Totals(
        prompt_tokens=usage.prompt_tokens,
        response_tokens=usage.response_tokens,
        cost_usd=0.0 if price is None else cost_of(usage, price),
        unpriced_tokens=usage.prompt_tokens + usage.response_tokens if price is None else 0,
        **by_modality(usage),
    )


def _local_date() -> date:
    return datetime.now().astimezone().date()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is in the file. The days are None where no clock was ever right."""

    day: date | None = None
    today: Totals = Totals()
    since: date | None = None  # the first day of all
    in_all: Totals = Totals()


class Tally:
    """Counts the day and all days, in ``directory`` or in memory only where that is None.

    Never raises: a disk that is full or read-only costs only the figures. A day ends at midnight
    by the local clock, ``today()``; while the clock is obviously wrong, as on a Pi that has just
    started, the day goes on that was. ``prices`` are one's own, as SPEAKERD_PRICES has them.
    """

    def __init__(
        self,
        directory: Path | None,
        today: Callable[[], date] = _local_date,
        *,
        prices: Sequence[str] = (),
    ) -> None:
        self._path = directory / FILE_NAME if directory is not None else None
        self._today = today
        self.prices = prices
        self._kept = self._written = _Kept()
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

    def cost_of(self, record: TurnRecord) -> float | None:
        """What a turn has cost in USD; None where its tokens or its price are not known."""
        price = price_of(record.model, self.prices)
        return None if record.usage is None or price is None else cost_of(record.usage, price)

    def add(self, record: TurnRecord) -> None:
        """A turn is over."""
        self._add(Totals(turns=1))
        if record.usage is not None:
            self.add_late(record.model, record.usage)

    def add_late(self, model: str, usage: Usage) -> None:
        """The tokens of a turn that is over have become known."""
        self._add(_totals_of(usage, price_of(model, self.prices)))

    def _add(self, more: Totals) -> None:
        kept = self._by_now()
        self._kept = replace(
            kept,
            today=kept.today.plus(more),
            since=kept.since or kept.day,
            in_all=kept.in_all.plus(more),
        )

    @property
    def totals(self) -> Totals:
        """Today's."""
        return self._by_now().today

    @property
    def in_all(self) -> tuple[date | None, Totals]:
        """The first day, None where it is not known, and the sums since then."""
        return self._kept.since, self._kept.in_all

    def save(self) -> None:
        """Keep what has been added. Blocks; in any thread, but only in one at a time."""
        kept = self._kept
        if self._path is None or kept == self._written:
            return  # SD cards wear
        content = {
            "day": _iso(kept.day),
            **asdict(kept.today),
            "since": _iso(kept.since),
            "in_all": asdict(kept.in_all),
        }
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

    def _by_now(self) -> _Kept:
        """The day and its sums; what was counted before the clock was set belongs to today."""
        kept, today = self._kept, self._today()
        day = kept.day
        if today < _EARLIEST or (day is not None and day - _A_DAY <= today <= day):
            return kept  # also where another time zone has put it a day back
        return replace(kept, day=today, today=kept.today if day is None else Totals())


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _decoded(content: Any) -> _Kept:  # noqa: ANN401 - whatever JSON can hold
    """What was saved; an older speakerd knew the day alone, and fewer of its sums."""
    match content:
        case {"day": str() | None as day, "turns": _, "prompt_tokens": _, "response_tokens": _}:
            today, on = _sums(content), date.fromisoformat(day) if day else None
        case _:
            raise ValueError(_NO_DAY)
    match content:
        case {"since": str() | None as since, "in_all": dict() as in_all}:
            return _Kept(on, today, date.fromisoformat(since) if since else None, _sums(in_all))
        case _:
            return _Kept(on, today, on, today)


def _sums(content: Mapping[str, Any]) -> Totals:
    found = {field.name: content.get(field.name, field.default) for field in fields(Totals)}
    cost = found.pop("cost_usd")
    if not all(isinstance(number, int) and number >= 0 for number in found.values()):
        raise ValueError(_NO_DAY)
    if cost is None:  # so an older speakerd said that it knew no price
        cost, found["unpriced_tokens"] = 0.0, found["prompt_tokens"] + found["response_tokens"]
    if not isinstance(cost, int | float) or not math.isfinite(cost) or cost < 0:
        raise ValueError(_NO_DAY)
    return Totals(cost_usd=cost, **found)
