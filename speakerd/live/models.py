"""What each Live model takes: the one place that knows, as data.

The sources are Google's model pages (ai.google.dev/gemini-api/docs/models/NAME, September 2026),
its migration guide (google-gemini/gemini-skills, references/migration.md), and what others have
measured: pydantic/pydantic-ai#8393 and #7269, googleapis/js-genai#1953, PatterAI/Patter#210,
googleapis/java-genai#382, openclaw/openclaw#152830. What is not said here of a model, it takes.
"""

from __future__ import annotations

from dataclasses import dataclass

from speakerd.errors import Feature

#: The version of the API that its reference documents, and the one with what is being tried out.
BETA, ALPHA = "v1beta", "v1alpha"

_FEELINGS = frozenset({Feature.AFFECTIVE_DIALOG, Feature.PROACTIVE_AUDIO})


@dataclass(frozen=True, slots=True)
class Thinking:
    """How much a model shall think: by a level (minimal to high), or by tokens; -1: as it likes."""

    level: str = ""
    budget_tokens: int | None = None


AS_IT_LIKES = Thinking()


@dataclass(frozen=True, slots=True)
class Model:
    """One family of models."""

    lacks: frozenset[Feature] = frozenset()  # refused by it: it is not asked for them
    alpha: frozenset[Feature] = frozenset()  # known to v1alpha of the API only
    levels: tuple[str, ...] = ()  # of thinking
    least_level: str = ""  # what it is asked for in any case: without a level it takes no setup
    budget: bool = True  # thinking is limited by tokens where no level is
    #: How it may be told to call functions: BLOCKING (it waits for the result, and takes no input
    #: meanwhile) and NON_BLOCKING; none: it knows one way only, and is not told.
    behaviors: frozenset[str] = frozenset()
    waits: bool = True  # for the result of a function, where it is not told
    hears_stream_end: bool = True  # audioStreamEnd ends what is being said, as silence does
    text_turns: bool = True  # a text is a turn of its own as realtime input
    scheduling: bool = False  # a late result may say when it is to be spoken of

    def thinking(self, wish: Thinking) -> Thinking | None:
        """What of ``wish`` it takes, or needs; None: nothing is to be said of it."""
        if wish.level in self.levels:
            return Thinking(level=wish.level)
        if wish.budget_tokens is not None and self.budget:
            return Thinking(budget_tokens=wish.budget_tokens)
        return Thinking(level=self.least_level) if self.least_level else None

    def version(self, asked: frozenset[Feature]) -> str:
        """The version of the API for a setup with these parts."""
        return ALPHA if self.alpha & asked else BETA

    def behavior(self, *, slow: bool) -> str | None:
        """How it is told to call a function; None: it is not told."""
        wanted = "NON_BLOCKING" if slow else "BLOCKING"
        if wanted in self.behaviors:
            return wanted
        return next(iter(self.behaviors), None)

    def blocks(self, *, slow: bool) -> bool:
        """Whether it takes no input until it has the result of such a function."""
        told = self.behavior(slow=slow)
        return self.waits if told is None else told == "BLOCKING"


_BOTH = frozenset({"BLOCKING", "NON_BLOCKING"})

#: By what their names begin with, the most special first: kin (previews, ``-001``, ``-latest``)
#: takes what its family takes.
FAMILIES: dict[str, Model] = {
    # Level: 1007 "must be specified", minimal not supported, budget as if there were no level.
    # BLOCKING: 1007. Scheduling: refused by some, taken by others: not sent.
    "gemini-3.8-live-extended-thinking": Model(
        lacks=_FEELINGS,
        levels=("low", "medium", "high"),
        least_level="low",
        budget=False,
        hears_stream_end=False,
        behaviors=frozenset({"NON_BLOCKING"}),
        waits=False,
    ),
    # Any level: 1007; of a budget some say so, too. The affective dialog was removed, and is
    # refused at the first sound only; proactive audio is always on, and unknown to v1beta.
    "gemini-3.8-live": Model(
        lacks=_FEELINGS,
        budget=False,
        behaviors=_BOTH,
        waits=False,
        hears_stream_end=False,
        scheduling=True,
    ),
    # Both feelings: it never answers the setup. Functions are synchronous.
    "gemini-3.1-flash-live": Model(lacks=_FEELINGS, levels=("minimal", "low", "medium", "high")),
    # Feelings: 1007 "Unknown name" in v1beta, even if they are off. A realtime text is no turn. A
    # history is heeded when the next turn is a text, but not when it is spoken (thread 111617 of
    # discuss.ai.google.dev).
    "gemini-2.5-flash-native-audio": Model(
        lacks=frozenset({Feature.VOCABULARY, Feature.HISTORY}),
        alpha=_FEELINGS,
        behaviors=_BOTH,
        text_turns=False,
        scheduling=True,
    ),
}

#: A model that is not known, of a later day most likely. What it refuses by its name is left out
#: then; so it is asked for all but the feelings, to which others have answered by silence, and for
#: functions in whatever way it has.
UNKNOWN = Model(lacks=_FEELINGS, levels=("minimal", "low", "medium", "high"))


def of(name: str) -> Model:
    """What is known of the model ``name``, with or without its ``models/``."""
    name = name.removeprefix("models/")
    known = (model for family, model in FAMILIES.items() if name.startswith(family))
    return next(known, UNKNOWN)
