"""What connections are made by: the API key, or tokens that stand for one for a while."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
import time
from typing import TYPE_CHECKING

from speakerd.errors import FailureKind
from speakerd.live import models, sdk, tokens
from speakerd.live.fetching import TokenError
from speakerd.live.transport import connect_options

if TYPE_CHECKING:
    from google import genai
    from pydantic import SecretStr

    from speakerd.errors import Failure
    from speakerd.live.fetching import Source
    from speakerd.live.transport import Timeouts

#: The only version in which the SDK knows tokens.
TOKENS_API_VERSION = models.ALPHA


@dataclasses.dataclass(frozen=True, slots=True)
class Pass:
    """Lets one connection in. ``expires_at`` (monotonic, in seconds) ends it, where it does."""

    client: genai.Client
    expires_at: float | None = None


class Access:
    """Gives a pass for each connection: with tokens of ``source``, or else with ``api_key``.

    One of them there must be.
    """

    def __init__(
        self, api_key: SecretStr | None, source: Source | None, timeouts: Timeouts
    ) -> None:
        self._api_key = api_key
        self._source = source
        self._timeouts = timeouts
        self._purse = tokens.Purse()
        self._client: tuple[str, genai.Client] | None = None  # with the key or token it has
        self._trust: ssl.SSLContext | None = None  # read once: that is what is slow about one
        self._was_kept = False  # the last token had served before

    def reload(self, api_key: SecretStr | None, source: Source | None) -> None:
        """Use these from the next connection on."""
        if source != self._source:
            self._purse.drop()
        self._api_key, self._source = api_key, source

    def secrets(self) -> list[str]:
        """What the server may quote; tokens are known by their looks."""
        return [self._api_key.get_secret_value()] if self._api_key is not None else []

    def prepare(self) -> None:
        """Do what takes its time, in a thread. Raises OSError."""
        if self._source is None:
            self._with_key()
        else:
            self._certificates()

    async def get(self, *, resuming: bool) -> Pass:
        """A pass for a connection that resumes a conversation, or begins one.

        Raises TokenError where there is none, OSError where the certificates cannot be read.
        """
        source = self._source  # it may be another one by the time a token has come
        if source is None:
            return Pass(self._with_key())
        token = self._purse.take(time.monotonic(), resuming=resuming)
        self._was_kept = token is not None
        if token is None:
            token = await _fetched(source)
            if source is self._source:
                self._purse.put(token)
        client = await asyncio.to_thread(self._with_token, token.name)
        # One that seems to be over has been fetched by a clock that is wrong.
        lasts = token.expires_at - time.monotonic() > tokens.SPARE_S
        return Pass(client, token.expires_at if lasts else None)

    def used(self, *, resuming: bool) -> None:
        """The server has seen the last pass."""
        if not resuming:
            self._purse.spend()

    def is_suspect(self, failure: Failure) -> bool:
        """Whether another token may do where the server has refused a connection with the last.

        One that had served before is suspected of anything: what the server says of it then is
        not known for sure, and it has been seen to say that it is unavailable
        (discuss.ai.google.dev/t/98979).
        """
        if self._source is None:
            return False
        is_verdict = failure.code is not None and failure.kind is not FailureKind.NETWORK
        if is_verdict or failure.kind is FailureKind.KEY:
            self._purse.drop()
        return failure.kind is FailureKind.KEY or (is_verdict and self._was_kept)

    def told(self, failure: Failure, *, opened: bool) -> Failure:
        """What everybody else is to know of it: tokens that expire are our own affair."""
        if self._source is None or failure.kind is not FailureKind.KEY:
            return failure
        if opened:
            self._purse.drop()
            return dataclasses.replace(failure, kind=FailureKind.SERVER)
        text = f"{failure.text} (of a token from {self._source.option})"
        return dataclasses.replace(failure, text=text)

    # --- the SDK's client, made when it is first needed: it is slow to import and to make

    def _with_key(self) -> genai.Client:
        (key,) = self.secrets()  # there is one, for there is no source
        return self._made_with(key, models.BETA)

    def _with_token(self, token: str) -> genai.Client:
        sdk.hush()
        return self._made_with(token, TOKENS_API_VERSION, self._certificates())

    def _certificates(self) -> ssl.SSLContext:
        """The system's, or those of SSL_CERT_FILE."""
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust

    def _made_with(
        self, secret: str, api_version: str, trust: ssl.SSLContext | None = None
    ) -> genai.Client:
        from google import genai
        from google.genai import types

        if self._client is not None and self._client[0] == secret:
            return self._client[1]
        # trust_env: the SDK's HTTP clients, which nobody uses here, must not fail
        # at a proxy variable; websockets reads those itself.
        both: dict[str, object] = {"trust_env": False}
        own = connect_options(self._timeouts)
        if trust is not None:
            both |= {"verify": trust}
            own |= {"ssl": trust}
        client = genai.Client(
            api_key=secret,
            vertexai=False,  # whatever GOOGLE_GENAI_USE_VERTEXAI says: the key is Gemini's
            http_options=types.HttpOptions(
                api_version=api_version, client_args=both, async_client_args=both | own
            ),
        )
        self._client = (secret, client)
        return client


async def _fetched(source: Source) -> tokens.Token:
    """A fresh token. Raises TokenError."""
    text = await source.fetch()
    try:
        return tokens.read(text, time.monotonic(), time.time())
    except ValueError as error:
        raise TokenError(f"{source.option} gives {error}") from None
