"""Faults as data: what goes wrong, when, and what a person experiences.

Each :class:`Row` is a conversation of three sentences with the real daemon, the real SDK and a real
socket (:mod:`tests.faults.story`): an honest turn, the turn in which the fault happens, and
another honest one, because whatever happens the next press must work. ``docs/faults.md`` is made
from this table: what it says that a person experiences is what the test has asserted.
"""

from __future__ import annotations

import asyncio
import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from speakerd.conversation.effects import Notice
from speakerd.simulator import catalogue, faults
from speakerd.simulator.catalogue import Closing, Model
from speakerd.simulator.faults import Phase
from speakerd.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from speakerd.simulator.server import Simulator
    from speakerd.tools.tool import Result, SpeakerPort


class When(enum.Enum):
    """Where in the conversation the fault happens; the values are the headings of the page."""

    SETUP = "While a connection is made"
    IDLE = "While nobody speaks"
    UTTERANCE = "While somebody speaks"
    THINKING = "Between the end of a sentence and the first sound of its answer"
    REPLY = "In the middle of an answer"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One fault at one phase. Turn 2 is the one it happens to, or the first one after it."""

    id: str
    fault: str  # for people
    when: When
    #: (phase, fault, more arguments of Plan.add), planned after the first turn
    plan: tuple[tuple[Phase, faults.Fault, Mapping[str, Any]], ...] = ()
    #: what is done by hand, to the connection of the first turn, while it is idle
    act: tuple[faults.Act, ...] = ()
    #: in mid-utterance; the person speaks on when there is another connection
    breaks: bool = False
    #: the server has closed the first connection before the fault, as it does after a while
    remade: bool = False
    outcome: str = "answered"  # of turn 2
    deliveries: int = 1
    context: str = "resumed"
    told: tuple[Notice, ...] = ()  # from the fault to the end of turn 2
    anew: bool = False  # the conversation of the first turn is lost
    quiet: bool = False  # not one warning in the journal
    settings: Mapping[str, Any] = field(default_factory=dict)
    rules: Mapping[str, Any] = field(default_factory=dict)
    simulator: Mapping[str, Any] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)  # at the end

    def prepare(self, simulator: Simulator) -> None:
        """Plan what will go wrong."""
        for phase, fault, more in self.plan:
            simulator.plan.add(phase, fault, **more)


#: Time-outs for rows that wait for one; everywhere else nothing waits for the clock.
QUICK_REPLY = {"reply_timeout_s": 0.8}
QUICK_CONNECT = {"connect_timeout_s": 0.8}
#: The server does not hold a dead connection for alive much longer than speakerd does.
GIVES_UP = {"idle_timeout_s": 1.2}

_TRANSIENT: tuple[tuple[str, Closing], ...] = (
    ("internal-error", catalogue.INTERNAL),
    ("unavailable", catalogue.UNAVAILABLE),
    ("deadline", catalogue.DEADLINE),
)
_NORMAL: tuple[tuple[str, Closing], ...] = (
    ("aborted", catalogue.ABORTED),
    ("cancelled", Closing(1000, "The operation was cancelled.")),
    ("going-away", Closing(1001, "")),
)
_REFUSALS: tuple[tuple[str, Closing, Notice], ...] = (
    ("bad-key", catalogue.BAD_KEY, Notice.KEY_REFUSED),
    (
        "leaked-key",
        Closing(1008, "Your API key was reported as leaked. Please use another API key."),
        Notice.KEY_REFUSED,
    ),
    (
        "model-gone",
        catalogue.unknown_model("models/gemini-3.8-live", "v1beta"),
        Notice.MODEL_GONE,
    ),
    ("quota", catalogue.QUOTA, Notice.QUOTA_USED_UP),
)
_ODD_CLOSES = (Closing(1002, "protocol error"), Closing(1013, "try again later"), Closing(4999, ""))
_PRECONDITIONS: tuple[tuple[str, Closing], ...] = (
    ("precondition", catalogue.PRECONDITION),
    ("not-enabled", catalogue.NOT_ENABLED),
    ("argument", catalogue.BAD_ARGUMENT),
)

#: What no client has a use for; the connection must outlive every one of them.
GARBAGE: Mapping[str, Mapping[str, Any] | bytes] = {
    "not JSON": b"{nonsense",
    "no text at all": b"\xff\xfe\x00",
    "an empty object": {},
    "unknown keys only": {"brandNew": {"x": 1}},
    "a status that the SDK cannot read": {"interactionStatus": "IN_PROGRESS"},
    "an error object": {"error": {"code": 500, "message": "oops"}},
    "a list": b"[1, 2]",
    "values of the wrong type": {"serverContent": {"modelTurn": "hello"}},
    "unknown fields beside known ones": {"serverContent": {"mood": "good"}, "weather": "fine"},
}

#: A frame of more than 16 MiB: the socket does not take it.
OVERSIZED = b'{"x": "' + b"x" * (17 << 20) + b'"}'

_PHASES: Mapping[When, tuple[Phase, float]] = {
    When.UTTERANCE: (Phase.UTTERANCE, 0.4),
    When.THINKING: (Phase.THINKING, 0.0),
    When.REPLY: (Phase.REPLY, 0.4),
}


async def _hang(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    await asyncio.Event().wait()
    return {}


def _fail(_speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    raise OSError("no route to host")


def _act(speaker: SpeakerPort, _args: Mapping[str, object]) -> Result:
    speaker.acts()
    return {"done": True}


_NOTHING: Mapping[str, Any] = {"type": "object", "properties": {}}
TOOLS = (
    Tool("hang", "Come to no end.", _NOTHING, _hang, slow=True, limit_s=0.05),
    Tool("fail", "Fail.", _NOTHING, _fail),
    Tool("act", "Do something.", _NOTHING, _act),
)


def _in_turn_2(when: When, *what: faults.Fault) -> tuple[tuple[Phase, faults.Fault, Any], ...]:
    phase, after_s = _PHASES[when]
    return tuple((phase, fault, {"turn": 2, "after_s": after_s}) for fault in what)


def _upgrade() -> list[Row]:
    def at_upgrade(name: str, fault: str, what: faults.Fault, **more: Any) -> Row:  # noqa: ANN401
        return Row(
            id=f"upgrade-{name}",
            fault=fault,
            when=When.SETUP,
            plan=((Phase.UPGRADE, what, {"connection": 2, "times": more.pop("times", 1)}),),
            remade=True,
            **more,
        )

    refused = {"outcome": "not-delivered", "deliveries": 0, "context": "none"}
    return [
        at_upgrade("reset", "the connection is reset", faults.Abort()),
        at_upgrade("reset-thrice", "the connection is reset, three times", faults.Abort(), times=3),
        at_upgrade("500", "HTTP 500", faults.HttpStatus(500)),
        at_upgrade("503", "HTTP 503", faults.HttpStatus(503)),
        at_upgrade(
            "400", "HTTP 400", faults.HttpStatus(400), told=(Notice.SETUP_REFUSED,), **refused
        ),
        at_upgrade(
            "401", "HTTP 401", faults.HttpStatus(401), told=(Notice.KEY_REFUSED,), **refused
        ),
        at_upgrade(
            "403", "HTTP 403", faults.HttpStatus(403), told=(Notice.KEY_REFUSED,), **refused
        ),
        at_upgrade("404", "HTTP 404", faults.HttpStatus(404), told=(Notice.MODEL_GONE,), **refused),
        at_upgrade(
            "429", "HTTP 429", faults.HttpStatus(429), told=(Notice.QUOTA_USED_UP,), **refused
        ),
    ]


def _setup() -> list[Row]:
    def at_setup(name: str, fault: str, what: faults.Fault, **more: Any) -> Row:  # noqa: ANN401
        times, after_s = more.pop("times", 1), more.pop("after_s", 0.0)
        return Row(
            id=f"setup-{name}",
            fault=fault,
            when=When.SETUP,
            plan=((Phase.SETUP, what, {"times": times, "after_s": after_s}),),
            remade=True,
            **more,
        )

    rows = [
        at_setup("reset", "the connection is reset at the setup", faults.Abort()),
        at_setup(
            "no-answer",
            "the setup is never answered",
            faults.Silence(),
            rules=QUICK_CONNECT,
        ),
        at_setup(
            "late-answer",
            "the setup is answered late, within the time for it",
            faults.Pause(),
            after_s=0.3,
            quiet=True,
        ),
        at_setup(
            "no-setup-complete",
            "the first message is another than setupComplete",
            faults.Inject({"error": {"code": 13, "message": "try again"}}),
        ),
        at_setup("garbage", "the setup is answered with nonsense", faults.Inject(b"{nonsense")),
    ]
    rows += [
        at_setup(name, f"closed with `{closing}`", faults.Close.of(closing))
        for name, closing in (*_TRANSIENT, *_NORMAL)
    ]
    rows += [
        at_setup(
            f"odd-{closing.code}",
            f"closed with `{closing}`, which nobody has seen yet",
            faults.Close.of(closing),
        )
        for closing in _ODD_CLOSES
    ]
    rows += [
        at_setup(
            name,
            f"refused: `{closing}`",
            faults.Close.of(closing),
            outcome="not-delivered",
            deliveries=0,
            context="none",
            told=(notice,),
        )
        for name, closing, notice in _REFUSALS
    ]
    rows += [
        at_setup(
            name,
            f"the handle is refused: `{closing}`",
            faults.Close.of(closing),
            context="fresh",
            anew=True,
        )
        for name, closing in (
            ("invalid-handle", catalogue.INVALID_HANDLE),
            ("expired-handle", catalogue.EXPIRED_HANDLE),
            ("foreign-handle", catalogue.FOREIGN_HANDLE),
        )
    ]
    left_out = {"without": ["context compression", "tools", "transcription"]}
    rows += [
        at_setup(
            f"{name}-once",
            f"`{closing}`, until no tools are in the setup",
            faults.Close.of(closing),
            status={"without": ["tools"]},
        )
        for name, closing in _PRECONDITIONS
    ]
    rows += [
        at_setup(
            f"{name}-twice",
            f"`{closing}`, until nothing optional is in the setup",
            faults.Close.of(closing),
            times=2,
            status=left_out,
        )
        for name, closing in _PRECONDITIONS
    ]
    rows += [
        at_setup(
            f"{name}-always",
            f"`{closing}`, whatever is in the setup",
            faults.Close.of(closing),
            times=3,
            outcome="not-delivered",
            deliveries=0,
            context="none",
            told=(Notice.SETUP_REFUSED,),
            status={"without": []},
        )
        for name, closing in _PRECONDITIONS
    ]
    rows += [
        at_setup(
            "voice",
            f"the voice is refused: `{catalogue.NO_TEXT_FROM_VOICES}`",
            faults.Close.of(catalogue.NO_TEXT_FROM_VOICES),
            settings={"voice": "Nobody"},
            status={"without": ["voice"]},
        ),
        Row(
            id="setup-thinking",
            fault=f"`{catalogue.NO_THINKING_LEVEL}`, by a model that nobody knows",
            when=When.SETUP,
            settings={"model": "gemini-4-live", "thinking_level": "low"},
            simulator={"models": {"gemini-4-live": Model()}},
            context="fresh",
            status={"without": ["thinking"]},
        ),
        Row(
            id="setup-search",
            fault="search is asked for with a key without quota for it",
            when=When.SETUP,
            settings={"google_search": True},
            simulator={"search": False},
            context="fresh",
            status={"without": ["search"]},
        ),
        at_setup(
            "fallback",
            "the model is gone, and SPEAKERD_FALLBACK_MODELS names another",
            faults.Close.of(catalogue.unknown_model("models/gemini-3.8-live", "v1beta")),
            settings={"fallback_models": ("gemini-3.1-flash-live-preview",)},
            context="fresh",
            anew=True,
            status={"model": "gemini-3.1-flash-live-preview"},
        ),
        Row(
            id="closed-after-setup",
            fault=f"closed with `{catalogue.INTERNAL}` right after the setup was accepted",
            when=When.SETUP,
            plan=((Phase.IDLE, faults.Close.of(catalogue.INTERNAL), {"connection": 2}),),
            remade=True,
            deliveries=2,
        ),
        Row(
            id="closed-after-setup-twice",
            fault="the same, twice in a row: the handle is poison",
            when=When.SETUP,
            plan=tuple(
                (Phase.IDLE, faults.Close.of(catalogue.INTERNAL), {"connection": number})
                for number in (2, 3)
            ),
            remade=True,
            deliveries=3,
            context="fresh",
            anew=True,
        ),
        Row(
            id="go-away-at-once",
            fault="GoAway with 300 s left, as soon as it is open",
            when=When.SETUP,
            plan=((Phase.IDLE, faults.GoAway(300.0), {"connection": 2}),),
            remade=True,
            quiet=True,
        ),
    ]
    return rows


def _idle() -> list[Row]:
    def idle(name: str, fault: str, *what: faults.Act, **more: Any) -> Row:  # noqa: ANN401
        return Row(id=f"idle-{name}", fault=fault, when=When.IDLE, act=what, **more)

    rows = [
        idle(name, f"closed with `{closing}`", faults.Close.of(closing), quiet=True)
        for name, closing in _NORMAL
    ]
    rows += [
        idle(name, f"closed with `{closing}`", faults.Close.of(closing))
        for name, closing in (*_TRANSIENT, *_PRECONDITIONS)
    ]
    rows += [
        idle(f"odd-{closing.code}", f"closed with `{closing}`", faults.Close.of(closing))
        for closing in _ODD_CLOSES
    ]
    rows += [
        idle(name, f"closed with `{closing}`", faults.Close.of(closing), told=(notice,))
        for name, closing, notice in _REFUSALS
        if name in {"bad-key", "quota"}
    ]
    rows += [
        idle("reset", "the connection is reset", faults.Abort()),
        idle("go-away", "GoAway with 50 s left", faults.GoAway(50.0), quiet=True),
        idle("go-away-300", "GoAway with 300 s left", faults.GoAway(300.0), quiet=True),
        idle(
            "go-away-twice",
            "GoAway, twice in a row",
            faults.GoAway(300.0),
            faults.GoAway(50.0),
            quiet=True,
        ),
        idle(
            "go-away-silence",
            "GoAway, and not a word after it",
            faults.GoAway(50.0),
            faults.Silence(),
            quiet=True,
        ),
        idle(
            "frozen",
            "the session freezes: it takes everything and answers nothing",
            faults.Silence(),
            rules=QUICK_REPLY,
            deliveries=2,
        ),
        idle(
            "half-open",
            "the socket is half open: it swallows what is sent, and no pong comes",
            faults.Silence(pongs=False),
            rules=QUICK_REPLY,
            simulator=GIVES_UP,
            deliveries=2,
        ),
        idle(
            "phantom",
            "`interrupted`, though nothing was said",
            faults.PHANTOM_INTERRUPTION,
            context="fresh",
            quiet=True,
        ),
        idle(
            "oversized",
            "a message of more than 16 MiB",
            faults.Inject(OVERSIZED),
        ),
    ]
    rows += [
        idle(f"garbage-{number}", f"a message: {name}", faults.Inject(message), context="fresh")
        for number, (name, message) in enumerate(GARBAGE.items(), 1)
    ]
    return rows


def _in_any_phase_of_a_turn() -> list[Row]:
    """What does the same wherever it happens: it costs the connection, or nothing."""
    lost: dict[When, dict[str, Any]] = {
        When.UTTERANCE: {"deliveries": 2, "breaks": True},
        When.THINKING: {"deliveries": 2},
        When.REPLY: {"outcome": "cut", "told": (Notice.ANSWER_CUT,), "context": "fresh"},
    }
    unharmed: dict[str, Any] = {"context": "fresh"}
    rows = []
    for when in _PHASES:

        def row(name: str, fault: str, *what: faults.Fault, when: When = when, **more: Any) -> Row:  # noqa: ANN401
            plan = _in_turn_2(when, *what)
            return Row(id=f"{when.name.lower()}-{name}", fault=fault, when=when, plan=plan, **more)

        rows += [
            row(name, f"closed with `{closing}`", faults.Close.of(closing), **lost[when])
            for name, closing in (*_TRANSIENT, *_NORMAL, *_PRECONDITIONS)
        ]
        for name, closing, notice in _REFUSALS:
            if name not in {"bad-key", "quota"}:
                continue
            refused = {"outcome": "not-delivered", "told": (notice,), "context": "fresh"}
            ends = lost[when] if when is When.REPLY else refused
            rows.append(row(name, f"closed with `{closing}`", faults.Close.of(closing), **ends))
        rows += [
            row("reset", "the connection is reset", faults.Abort(), **lost[when]),
            row("go-away", "GoAway with 50 s left", faults.GoAway(50.0), quiet=True, **unharmed),
            row(
                "go-away-300",
                "GoAway with 300 s left",
                faults.GoAway(300.0),
                quiet=True,
                **unharmed,
            ),
            row(
                "go-away-twice",
                "GoAway, twice in a row",
                faults.GoAway(300.0),
                faults.GoAway(50.0),
                quiet=True,
                **unharmed,
            ),
        ]
        if when is not When.REPLY:  # the client reads nothing more, not even what was on its way
            fault = "a message of more than 16 MiB"
            rows.append(row("oversized", fault, faults.Inject(OVERSIZED), **lost[when]))
        rows += [
            row(f"garbage-{number}", f"a message: {name}", faults.Inject(message), **unharmed)
            for number, (name, message) in enumerate(GARBAGE.items(), 1)
        ]
    return rows


def _utterance() -> list[Row]:
    when = When.UTTERANCE

    def row(name: str, fault: str, *what: faults.Fault, **more: Any) -> Row:  # noqa: ANN401
        return Row(
            id=f"utterance-{name}", fault=fault, when=when, plan=_in_turn_2(when, *what), **more
        )

    return [
        row(
            "go-away-closes",
            "GoAway, and it closes before the sentence is over",
            faults.GoAway(0.2),
            deliveries=2,
            breaks=True,
            quiet=True,
        ),
        row(
            "go-away-silence",
            "GoAway, and not a word after it",
            faults.GoAway(0.4),
            faults.Silence(),
            deliveries=2,
            breaks=True,
            quiet=True,
        ),
        row(
            "frozen",
            "the session freezes",
            faults.Silence(),
            rules=QUICK_REPLY,
            deliveries=2,
        ),
        row(
            "half-open",
            "the socket is half open",
            faults.Silence(pongs=False),
            rules=QUICK_REPLY,
            simulator=GIVES_UP,
            deliveries=2,
        ),
        row("phantom", "`interrupted`", faults.PHANTOM_INTERRUPTION, context="fresh", quiet=True),
    ]


def _thinking() -> list[Row]:
    when = When.THINKING

    def row(name: str, fault: str, *what: faults.Fault, **more: Any) -> Row:  # noqa: ANN401
        plan = _in_turn_2(when, *what) + more.pop("then", ())
        return Row(id=f"thinking-{name}", fault=fault, when=when, plan=plan, **more)

    def again(fault: faults.Fault) -> tuple[tuple[Phase, faults.Fault, Any], ...]:
        return ((Phase.THINKING, fault, {"turn": 3}),)

    return [
        row(
            "reset-twice",
            "the connection is reset, and the next one too",
            faults.Abort(),
            then=again(faults.Abort()),
            deliveries=2,
            outcome="no-answer",
            told=(Notice.NO_ANSWER,),
        ),
        row(
            "go-away-silence",
            "GoAway, and not a word after it",
            faults.GoAway(0.4),
            faults.Silence(),
            deliveries=2,
            quiet=True,
        ),
        row(
            "no-reply",
            "no answer at all",
            faults.NoReply(),
            rules=QUICK_REPLY,
            deliveries=2,
        ),
        row(
            "no-reply-twice",
            "no answer at all, the second time neither",
            faults.NoReply(),
            then=again(faults.NoReply()),
            rules=QUICK_REPLY,
            deliveries=2,
            outcome="no-answer",
            told=(Notice.NO_ANSWER,),
        ),
        row("frozen", "the session freezes", faults.Silence(), rules=QUICK_REPLY, deliveries=2),
        row(
            "half-open",
            "the socket is half open",
            faults.Silence(pongs=False),
            rules=QUICK_REPLY,
            simulator=GIVES_UP,
            deliveries=2,
        ),
        row(
            "held-by-the-server",
            "the socket is half open, and the server goes on holding it for alive",
            faults.Silence(pongs=False),
            rules=QUICK_REPLY | {"resume_patience_s": 0.5},
            deliveries=2,
            context="fresh",
            anew=True,
        ),
        row(
            "silent",
            "the turn completes without any sound",
            faults.NoAudio(),
            outcome="silent",
            context="fresh",
            told=(Notice.NO_REPLY,),
            quiet=True,
        ),
        row(
            "phantom",
            "`interrupted`, and then the answer",
            faults.PHANTOM_INTERRUPTION,
            context="fresh",
            quiet=True,
        ),
        row(
            "phantom-frozen",
            "`interrupted`, and then nothing",
            faults.PHANTOM_INTERRUPTION,
            faults.Silence(),
            rules=QUICK_REPLY,
            deliveries=2,
        ),
        row(
            "only-interrupted",
            "`interrupted` and `turnComplete`, and no answer",
            faults.PHANTOM_INTERRUPTION,
            faults.NoAudio(),
            deliveries=2,
        ),
        row(
            "stall",
            "the answer is late, and comes in a burst",
            faults.Pause(duration_s=0.3),
            context="fresh",
            quiet=True,
        ),
        row(
            "tool",
            "a tool is called that is not there",
            faults.ToolCall("open_the_door"),
            context="fresh",
            quiet=True,
        ),
        row(
            "tool-then-reset",
            "a tool is called, and the connection is reset before its answer",
            faults.ToolCall("open_the_door"),
            faults.Abort(),
            deliveries=2,
        ),
        row(
            "tool-hangs",
            "a tool does not come to an end: it is given up, and the model is told",
            faults.ToolCall("hang"),
            tools=TOOLS,
            settings={"model": "gemini-3.1-flash-live-preview"},  # it waits for every tool
            context="fresh",
            quiet=True,
        ),
        row(
            "tool-fails",
            "a tool fails, and the model is told",
            faults.ToolCall("fail"),
            tools=TOOLS,
            context="fresh",
        ),
        row(
            "tool-acted",
            "a tool is called, acts, and the connection is reset before the answer",
            faults.ToolCalls((faults.ToolCall("act"),)),
            then=((Phase.THINKING, faults.Abort(), {"turn": 2, "after_s": 0.1}),),
            tools=TOOLS,
            outcome="result-lost",
            context="fresh",
            told=(Notice.RESULT_LOST,),
        ),
    ]


def _reply() -> list[Row]:
    when = When.REPLY

    def row(name: str, fault: str, *what: faults.Fault, **more: Any) -> Row:  # noqa: ANN401
        return Row(
            id=f"reply-{name}",
            fault=fault,
            when=when,
            plan=_in_turn_2(when, *what) + more.pop("shape", ()),
            context="fresh",
            **more,
        )

    def shape(fault: faults.Fault) -> tuple[tuple[Phase, faults.Fault, Any], ...]:
        return ((Phase.THINKING, fault, {"turn": 2}),)

    cut: dict[str, Any] = {"outcome": "cut", "told": (Notice.ANSWER_CUT,)}
    return [
        row(
            "go-away-silence",
            "GoAway, and not a word after it",
            faults.GoAway(0.4),
            faults.Silence(),
            quiet=False,
            **cut,
        ),
        row("frozen", "the session freezes", faults.Silence(), rules=QUICK_REPLY, **cut),
        row(
            "half-open",
            "the socket is half open",
            faults.Silence(pongs=False),
            rules=QUICK_REPLY,
            simulator=GIVES_UP,
            **cut,
        ),
        row(
            "interrupted",
            "`interrupted`, though nobody has spoken, and no more sound",
            faults.PHANTOM_INTERRUPTION,
            faults.Silence(),
            rules=QUICK_REPLY,
            **cut,
        ),
        row(
            "stall",
            "a stall in the middle, then a burst",
            faults.Pause(duration_s=0.4),
            quiet=True,
        ),
        row(
            "turn-complete-early",
            "`turnComplete` in the middle, and the rest after it",
            shape=shape(faults.PrematureTurnComplete(0.4, rest=True)),
            quiet=True,
        ),
        row(
            "turn-complete-instead",
            "`turnComplete` in the middle, and no more sound",
            shape=shape(faults.PrematureTurnComplete(0.4)),
            quiet=True,
        ),
        row(
            "no-turn-complete",
            "`generationComplete`, and no `turnComplete` after it",
            shape=shape(faults.MissingTurnComplete()),
            rules={"settle_s": 0.3},
            quiet=True,
        ),
    ]


ROWS: tuple[Row, ...] = tuple(
    row
    for made in (_upgrade, _setup, _idle, _in_any_phase_of_a_turn, _utterance, _thinking, _reply)
    for row in made()
)
