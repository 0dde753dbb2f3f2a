"""The setup message: what the server accepts, and what it takes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speakerd.simulator import catalogue
from speakerd.simulator.catalogue import Refused
from speakerd.simulator.detection import Sensitivity
from speakerd.simulator.messages import tokens_of
from speakerd.simulator.tokens import PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from speakerd.simulator.catalogue import Model
    from speakerd.simulator.tokens import Tokens

#: What the model can hold; compression triggers at 80 % of it, and halves it, if not told
#: otherwise (Live API guide, "Context window compression").
CONTEXT_TOKENS = 131_072
_ALPHA = "v1alpha"


@dataclass(frozen=True, slots=True)
class Credential:
    """Who the client says it is."""

    key: str  # an API key or an ephemeral token; empty: it did not say
    version: str  # of the API, from the path
    constrained: bool  # the path is that of ephemeral tokens

    @property
    def is_token(self) -> bool:
        """Whether it is an ephemeral token."""
        return self.key.startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a connection has been set up for."""

    model: str  # with its "models/"
    traits: Model
    detection: Sensitivity | None  # None: the client tells when an activity starts and ends
    interruptible: bool  # by the start of an activity
    resumption: bool
    handle: str | None
    transcribe_input: bool
    transcribe_output: bool
    trigger_tokens: int | None  # None: the context is not compressed
    target_tokens: int
    search: bool  # Google Search is among its tools
    non_blocking: frozenset[str]  # functions the model does not wait for
    instruction_tokens: int  # the size of the system instruction, which is never forgotten
    history: bool  # clientContent comes first, and is what was said before


def authorize(credential: Credential, keys: Collection[str], tokens: Tokens, now: float) -> str:
    """The API key, or the one that the ephemeral token stands for.

    Raises :class:`Refused` unless the credential is good for its path.
    """
    if not credential.key:
        raise Refused(catalogue.NO_KEY)
    if credential.is_token != credential.constrained:
        raise Refused(catalogue.BAD_KEY)
    if credential.is_token:
        return tokens.find(credential.key, now).key
    if credential.key not in keys:
        raise Refused(catalogue.BAD_KEY)
    return credential.key


def configure(
    setup: Mapping[str, Any], models: Mapping[str, Model], credential: Credential
) -> Configuration:
    """Check a setup message as :mod:`~speakerd.simulator.protojson` read it.

    Raises :class:`Refused` for what the server does not take.
    """
    model = setup.get("model", "")
    generation = setup.get("generation_config", {})
    prefix, _, name = model.partition("/")
    if prefix != "models" or not name:
        raise Refused(catalogue.BAD_ARGUMENT)
    if (traits := models.get(name)) is None:
        unknown = catalogue.unknown_model(model, credential.version)
        raise Refused(catalogue.PROJECT_SCOPED if credential.is_token else unknown)
    _check_modalities(model, traits, generation.get("response_modalities", []))
    _check_thinking(traits, generation.get("thinking_config", {}))
    _check_feelings(setup, traits, credential.version)
    realtime = setup.get("realtime_input_config", {})
    trigger, target = _compression(setup.get("context_window_compression"))
    return Configuration(
        model=model,
        traits=traits,
        detection=_detection(realtime.get("automatic_activity_detection", {}), traits),
        interruptible=realtime.get("activity_handling") != "NO_INTERRUPTION",
        resumption="session_resumption" in setup,
        handle=setup.get("session_resumption", {}).get("handle") or None,
        transcribe_input="input_audio_transcription" in setup,
        transcribe_output="output_audio_transcription" in setup,
        trigger_tokens=trigger,
        target_tokens=target,
        search=any("google_search" in tool for tool in setup.get("tools", [])),
        non_blocking=_non_blocking(setup.get("tools", []), traits),
        instruction_tokens=sum(
            tokens_of(part.get("text", ""))
            for part in setup.get("system_instruction", {}).get("parts", [])
        ),
        history=setup.get("history_config", {}).get("initial_history_in_client_content", False),
    )


def _check_modalities(model: str, traits: Model, asked: list[str]) -> None:
    if asked == ["TEXT"] and traits.text_refusal is not None:
        raise Refused(traits.text_refusal)
    if asked and asked != ["AUDIO"]:
        raise Refused(catalogue.modalities(model, asked))


def _check_thinking(traits: Model, thinking: Mapping[str, Any]) -> None:
    level = thinking.get("thinking_level")
    if level is None:
        if traits.level_needed:
            raise Refused(catalogue.THINKING_LEVEL_NEEDED)
    elif not traits.levels:
        raise Refused(catalogue.NO_THINKING_LEVEL)
    elif level not in traits.levels:
        raise Refused(catalogue.no_level(level))
    if "thinking_budget" in thinking and not traits.budget:
        raise Refused(catalogue.NO_THINKING_LEVEL)


def _check_feelings(setup: Mapping[str, Any], traits: Model, version: str) -> None:
    """v1alpha alone knows the fields, whatever they say; not every model takes them there."""
    wanted = (
        ("enableAffectiveDialog", "setup.generation_config", "enable_affective_dialog"),
        ("proactivity", "setup", "proactivity"),
    )
    fields = setup | setup.get("generation_config", {})
    for name, path, field in wanted:
        if field in fields and version != _ALPHA:
            raise Refused(catalogue.unknown_field(name, path))
        if field in fields and not traits.feelings:
            raise Refused(catalogue.BAD_ARGUMENT)


def _detection(config: Mapping[str, Any], traits: Model) -> Sensitivity | None:
    """What counts as speech: by default, and at high sensitivity, the least that may be speech."""
    usual = Sensitivity()
    prefix_ms = config.get("prefix_padding_ms", usual.prefix_ms)
    silence_ms = config.get("silence_duration_ms", usual.silence_ms)
    if prefix_ms < 0 or silence_ms < 0:
        raise Refused(catalogue.BAD_ARGUMENT)
    if config.get("disabled", False):
        return None
    start, end = config.get("start_of_speech_sensitivity"), config.get("end_of_speech_sensitivity")
    return Sensitivity(
        start_peak=usual.start_peak * (4 if start == "START_SENSITIVITY_LOW" else 1),
        end_peak=usual.end_peak // (2 if end == "END_SENSITIVITY_LOW" else 1),
        prefix_ms=prefix_ms,
        silence_ms=silence_ms if traits.silence_duration else usual.silence_ms,
    )


def _compression(config: Mapping[str, Any] | None) -> tuple[int | None, int]:
    if config is None:
        return None, 0
    trigger = config.get("trigger_tokens", CONTEXT_TOKENS * 8 // 10)
    target = config.get("sliding_window", {}).get("target_tokens", trigger // 2)
    if not 0 < target < trigger:
        raise Refused(catalogue.BAD_ARGUMENT)
    return trigger, target


def _non_blocking(tools: list[dict[str, Any]], traits: Model) -> frozenset[str]:
    """The functions that the model does not wait for: by their declaration, or by its nature."""
    declared = {
        declaration.get("name", ""): declaration.get("behavior", "UNSPECIFIED")
        for tool in tools
        for declaration in tool.get("function_declarations", [])
    }
    if "BLOCKING" in declared.values() and not traits.blocking:
        raise Refused(catalogue.BLOCKING)
    free = {"NON_BLOCKING"} if traits.waits else {"NON_BLOCKING", "UNSPECIFIED"}
    return frozenset(name for name, behavior in declared.items() if behavior in free)
