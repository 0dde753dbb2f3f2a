"""What nobody may read, wherever it turns up: in the journal, in the status, in a report."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = "[secret]"
#: A shorter secret is not looked for: it would be found in half of all words.
_SHORTEST = 8
#: Google's API keys, the older and the newer ones, also where the end of a text has cut them off.
LOOKS_LIKE_A_KEY = re.compile(r"AIza[\w-]{4,}|AQ\.[\w-]{16,}", re.ASCII)
#: Ephemeral tokens, also as a part of an address.
LOOKS_LIKE_A_TOKEN = re.compile(r"auth_tokens(?:/|%2F)[\w.-]+", re.ASCII | re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without ``secrets``, and without whatever looks like an API key or a token."""
    for secret in secrets:
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, _SHOWN)
    return LOOKS_LIKE_A_TOKEN.sub(_SHOWN, LOOKS_LIKE_A_KEY.sub(_SHOWN, text))
