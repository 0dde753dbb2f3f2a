"""What tokens cost: the list prices of the Live models, and prices of one's own in their place.

The table is the paid tier of https://ai.google.dev/gemini-api/docs/pricing as it was at AS_OF, in
USD. A key of the free tier costs nothing, and other contracts cost something else.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

AS_OF = date(2026, 10, 9)


@dataclass(frozen=True, slots=True)
class Price:
    """USD for a million tokens. An image is a frame of a video too; thoughts are text out."""

    audio_in: float
    text_in: float
    image_in: float
    audio_out: float
    text_out: float


_LIVE = Price(audio_in=3.00, text_in=0.75, image_in=1.00, audio_out=12.00, text_out=4.50)
_NATIVE_AUDIO = Price(audio_in=3.00, text_in=0.50, image_in=3.00, audio_out=12.00, text_out=2.00)

#: By the name of a model without its release.
_LISTED: dict[str, Price] = {
    "gemini-3.8-live": _LIVE,
    "gemini-3.8-live-extended-thinking": _LIVE,
    "gemini-3.1-flash-live": _LIVE,
    "gemini-2.5-flash-native-audio": _NATIVE_AUDIO,
}
#: What releases of one model differ in: -001, -latest, -preview, -preview-12-2025. Any other
#: ending is another model, with a price of its own.
_RELEASE = re.compile(r"(-preview)?(-latest|-\d{3}|-\d{2}-\d{4})?$")

#: What SPEAKERD_PRICES can name.
KINDS = tuple(field.name.replace("_", "-") for field in dataclasses.fields(Price))


def price_of(model: str, own: Iterable[str] = ()) -> Price | None:
    """The price of ``model``; ``own`` prices, such as ``audio-in=3.00``, win over the table's.

    None where it is not known: a model that is not in the table needs all of them named.
    """
    pairs = (each.partition("=") for each in own)
    named = {kind.replace("-", "_"): float(usd) for kind, _, usd in pairs}
    listed = _LISTED.get(_RELEASE.sub("", model.removeprefix("models/"), count=1))
    if listed is not None:
        return dataclasses.replace(listed, **named)
    return Price(**named) if len(named) == len(KINDS) else None
