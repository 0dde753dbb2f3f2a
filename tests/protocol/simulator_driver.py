"""Drives the simulator's pure protocol without a socket and without waiting."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from speakerd.simulator.connection import Connection
from speakerd.simulator.faults import Plan
from speakerd.simulator.options import DEFAULT_KEY, Pacing, SimulatorOptions
from speakerd.simulator.setup import Credential
from speakerd.simulator.wire import Hangup, Output, Send
from speakerd.simulator.world import World

if TYPE_CHECKING:
    from speakerd.simulator import faults
    from speakerd.simulator.records import TurnRecord

MODEL = "models/gemini-3.8-live"
RATE_HZ = 16_000
#: 0.1 s of S16_LE mono at 16 kHz, all samples different.
CHUNK = b"".join(n.to_bytes(2, "little", signed=True) for n in range(-800, 800))

ACTIVITY_START: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}
ACTIVITY_END: dict[str, Any] = {"realtimeInput": {"activityEnd": {}}}
STREAM_END = {"realtimeInput": {"audioStreamEnd": True}}
TEXT = {"realtimeInput": {"text": "hello"}}
CONTENT = {
    "clientContent": {"turns": [{"role": "user", "parts": [{"text": "hi"}]}], "turnComplete": True}
}
HISTORY_CONFIG = {"initialHistoryInClientContent": True}


def history(*lines: tuple[str, str], complete: bool = True) -> dict[str, Any]:
    """What was said before, by roles."""
    turns = [{"role": role, "parts": [{"text": text}]} for role, text in lines]
    return {"clientContent": {"turns": turns, "turnComplete": complete}}


def setup(**fields: object) -> dict[str, Any]:
    """A setup message for push to talk; ``fields`` replace its own."""
    return {
        "setup": {
            "model": MODEL,
            "generationConfig": {"responseModalities": ["AUDIO"]},
            "realtimeInputConfig": {"automaticActivityDetection": {"disabled": True}},
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "sessionResumption": {},
        }
        | fields
    }


def audio(pcm: bytes = CHUNK, mime_type: str = "audio/pcm;rate=16000") -> dict[str, Any]:
    """A chunk of what is said."""
    blob = {"data": base64.b64encode(pcm).decode(), "mimeType": mime_type}
    return {"realtimeInput": {"audio": blob}}


def picture(data: bytes = b"\xff\xd8\xff\xd9", mime_type: str = "image/jpeg") -> dict[str, Any]:
    """What is seen."""
    blob = {"data": base64.b64encode(data).decode(), "mimeType": mime_type}
    return {"realtimeInput": {"video": blob}}


def speech(seconds: float = 1.0, rate_hz: int = RATE_HZ) -> bytes:
    """S16_LE mono that is loud at every sample."""
    return b"".join(
        ((1000 + n % 24_000) * (-1) ** n).to_bytes(2, "little", signed=True)
        for n in range(round(seconds * rate_hz))
    )


def silence(seconds: float = 1.0, rate_hz: int = RATE_HZ) -> bytes:
    """S16_LE mono without any sound."""
    return bytes(2 * round(seconds * rate_hz))


def tool_response(call_id: str, **fields: object) -> dict[str, Any]:
    """The result of a call."""
    response = {"id": call_id, "name": "f", "response": {"result": "ok"}} | fields
    return {"toolResponse": {"functionResponses": [response]}}


class Notes:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.utterances: list[TurnRecord] = []

    def note(self, connection: int, text: str) -> None:
        self.lines.append(f"{connection} {text}")

    def heard(self, turn: TurnRecord) -> None:
        self.utterances.append(turn)


class Server:
    """A simulator without sockets: its world and its clock."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - those of SimulatorOptions
        self.now = 1000.0
        self.notes = Notes()
        self.plan = Plan()
        self.world = World(
            SimulatorOptions(**{"pacing": Pacing.BURST, "idle_timeout_s": None} | options),
            self.notes,
        )
        self.world.script = self.plan

    def connect(
        self, key: str = DEFAULT_KEY, version: str = "v1beta", *, constrained: bool = False
    ) -> Client:
        """A new connection."""
        record = self.world.new_connection("/ws", self.now)
        credential = Credential(key, version, constrained)
        return Client(self, Connection(record, credential, self.world, self.now))

    def set_up(self, **fields: object) -> Client:
        """A new connection that is set up."""
        client = self.connect()
        assert {"setupComplete": {}} in client.send(setup(**fields))
        return client


class Client:
    """The client's side of a connection: what it sends, and everything it gets."""

    def __init__(self, server: Server, core: Connection) -> None:
        self.server = server
        self.core = core
        self.messages: list[dict[str, Any]] = []
        self.frames: list[bytes] = []
        self.others: list[Output] = []  # what is not a frame

    def send(self, message: dict[str, Any]) -> list[dict[str, Any]]:
        """Send a message; what comes back at once."""
        return self.send_frame(json.dumps(message))

    def send_frame(self, frame: str | bytes) -> list[dict[str, Any]]:
        """Send a frame; what comes back at once."""
        self.core.receive(frame, self.server.now)
        return self.collect()

    def act(self, act: faults.Act) -> list[dict[str, Any]]:
        """Let something happen; what comes of it at once."""
        self.core.act(act, self.server.now)
        return self.collect()

    def leave(self, code: int = 1000) -> None:
        """Close the socket."""
        self.core.ended(self.server.now, by="client", code=code, reason="")

    def wait(self, seconds: float) -> list[dict[str, Any]]:
        """Let time pass, from deadline to deadline; what comes meanwhile."""
        until, before = self.server.now + seconds, len(self.messages)
        while (due := self.core.deadline()) is not None and due <= until:
            assert due > self.server.now or self.core.deadline() is not None
            self.server.now = max(due, self.server.now)
            self.core.wake(self.server.now)
            self.collect()
        self.server.now = until
        return self.messages[before:]

    def collect(self) -> list[dict[str, Any]]:
        """Take what the core gives."""
        before = len(self.messages)
        for output in self.core.take():
            if isinstance(output, Send):
                self.frames.append(output.data)
                self.messages.append(json.loads(output.data))
            else:
                self.others.append(output)
        return self.messages[before:]

    def say(self, chunks: int = 3) -> list[dict[str, Any]]:
        """A whole utterance; what comes back at once."""
        before = len(self.messages)
        self.send(ACTIVITY_START)
        for _ in range(chunks):
            self.send(audio())
        self.send(ACTIVITY_END)
        return self.messages[before:]

    @property
    def turn(self) -> TurnRecord:
        """The last turn."""
        return self.server.world.turns[-1]

    @property
    def closing(self) -> str:
        """Code and reason of the server's close; empty if it did not close."""
        closings = [str(output.closing) for output in self.others if isinstance(output, Hangup)]
        return closings[0] if closings else ""

    @property
    def handles(self) -> list[str]:
        """The handles that were issued, as the client saw them."""
        updates = [message.get("sessionResumptionUpdate", {}) for message in self.messages]
        return [update["newHandle"] for update in updates if update.get("resumable")]


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """The messages by what they say; runs of the same are one."""
    names: list[str] = []
    for message in messages:
        content = message.get("serverContent", message)
        name = "+".join(key for key in content if key != "usageMetadata")
        if not names or names[-1] != name:
            names.append(name)
    return names


def reply_pcm(messages: list[dict[str, Any]]) -> bytes:
    """All audio in the messages."""
    return b"".join(
        base64.b64decode(part["inlineData"]["data"])
        for message in messages
        for part in message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])
    )


def resampled(pcm: bytes, from_hz: int = RATE_HZ, to_hz: int = 24_000) -> bytes:
    """What a parrot says: linear interpolation in whole numbers, sample by sample."""
    samples = [
        int.from_bytes(pcm[n : n + 2], "little", signed=True) for n in range(0, len(pcm) & ~1, 2)
    ]
    out = []
    for n in range(len(samples) * to_hz // from_hz):
        index, rest = divmod(n * from_hz, to_hz)
        after = samples[min(index + 1, len(samples) - 1)]
        out.append((samples[index] * (to_hz - rest) + after * rest) // to_hz)
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in out)
