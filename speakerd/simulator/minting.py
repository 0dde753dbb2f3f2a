"""``POST v1alpha/auth_tokens``: the one request of the API here that is no WebSocket.

websockets' server reads requests without a body only. :class:`PostingConnection` reads a POST to
its end and hands it on as a GET, with the body beside it, so that ``process_request`` can answer
it on the same port.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from websockets.asyncio.server import ServerConnection

from speakerd.simulator import catalogue
from speakerd.simulator.tokens import LIFE_S, START_S, Tokens

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Collection

#: Of v1alpha only: v1beta answers 404 (discuss.ai.google.dev/t/99122).
PATH = re.compile(r"/{1,2}v1alpha/auth_tokens")
_END = b"\r\n\r\n"
_METHOD = b"POST "
_LARGEST_BYTES = 1024 * 1024
_OF_THE_BODY = (b"content-length:", b"transfer-encoding:", b"expect:")
#: What may be asked for; the last two, which tie a token to a setup, have no effect here.
_FIELDS = {"uses", "expireTime", "newSessionExpireTime", "bidiGenerateContentSetup", "fieldMask"}

Answer = tuple[HTTPStatus, dict[str, Any]]


class PostingConnection(ServerConnection):
    """A connection of websockets' server that also takes one POST; ``posted`` is its body."""

    posted: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As the base's."""
        self._unread: bytearray | None = bytearray()  # None: it has been handed on
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """As the base's."""
        if self._unread is None:
            super().data_received(data)
            return
        self._unread += data
        head, end, body = bytes(self._unread).partition(_END)
        if not (head.startswith(_METHOD) or _METHOD.startswith(head)):
            self._hand_on(bytes(self._unread))
        elif len(self._unread) > _LARGEST_BYTES:
            self.transport.abort()
        elif end:
            request, *headers = head.split(b"\r\n")
            length = next((h for h in headers if h.lower().startswith(b"content-length:")), b":0")
            size = length.partition(b":")[2].strip()
            if size.isdigit() and len(body) >= int(size):
                self.posted = body[: int(size)]
                kept = [h for h in headers if not h.lower().startswith(_OF_THE_BODY)]
                get = b"GET " + request.removeprefix(_METHOD)
                self._hand_on(b"\r\n".join([get, *kept]) + _END)

    def _hand_on(self, data: bytes) -> None:
        self._unread = None
        super().data_received(data)


def mint(
    tokens: Tokens, key: str, keys: Collection[str], body: bytes, clocks: tuple[float, float]
) -> Answer:
    """The answer to a request for a token with ``key``.

    ``clocks`` are the monotonic one and the time of day, both in seconds.
    """
    if not key:
        return _error(HTTPStatus.FORBIDDEN, "PERMISSION_DENIED", catalogue.NO_KEY_TEXT)
    if key not in keys:
        return _invalid(catalogue.BAD_KEY.reason)
    try:
        asked = json.loads(body or b"{}")
        if unknown := sorted(set(asked) - _FIELDS):
            return _invalid(
                f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
            )
        now, today = clocks
        name = tokens.mint(
            key,
            now,
            uses=int(asked.get("uses", 1)),
            start_s=_from_now(asked.get("newSessionExpireTime"), today, START_S),
            life_s=_from_now(asked.get("expireTime"), today, LIFE_S),
        )
    except (ValueError, TypeError, AttributeError):  # not JSON, or not an object, or no time
        return _invalid(catalogue.BAD_ARGUMENT.reason)
    return HTTPStatus.OK, {"name": name}


def _from_now(at: str | None, today: float, default_s: float) -> float:
    return default_s if at is None else datetime.fromisoformat(at).timestamp() - today


def _invalid(message: str) -> Answer:
    return _error(HTTPStatus.BAD_REQUEST, "INVALID_ARGUMENT", message)


def _error(status: HTTPStatus, name: str, message: str) -> Answer:
    return status, {"error": {"code": status.value, "message": message, "status": name}}
