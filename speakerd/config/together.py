"""What the options mean together: which of them collide, and which do nothing without another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config import instruction, mcp, voices
from speakerd.config.prices import price_of
from speakerd.config.sources import API_KEY, TOKEN_COMMAND, TOKEN_URL, variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from speakerd.config.settings import Settings

#: The options that name GPIO lines, the one with a default first.
_PIN_OPTIONS = (
    "button_pin",
    "second_button_pin",
    "volume_up_pin",
    "volume_down_pin",
    "knob_pins",
    "mute_pin",
    "led_pins",
)
#: What makes the server let us in: the key, unless there are tokens.
WAYS_IN = frozenset({API_KEY, TOKEN_COMMAND, TOKEN_URL})
_VOLUME_KEYS = ("volume_up_pin", "volume_down_pin", "second_button_pin", "keypad")
#: Options that mean something only where one of certain others is set.
_NEEDS: dict[str, tuple[str, ...]] = {
    "second_button": ("second_button_pin",),
    "led_smooth": ("led_pins",),
    "led_brightness": ("led_pins",),
    "led_active_high": ("led_pins",),
    "repeat_after_ms": ("volume_up_pin", "volume_down_pin", "keypad"),
    "repeat_every_ms": _VOLUME_KEYS,
    "thinking_sound": ("earcon_volume",),
    "keypad_keys": ("keypad",),
    "camera_interval_s": ("camera_command",),
    "media_resolution": ("camera_command",),
    "volume_step": (*_VOLUME_KEYS, "knob_pins"),
}


def no_way_in(places: Mapping[str, str], env_file: Path) -> dict[str, str]:
    """What is wrong about the ways in; ``places`` says in words where those given are from."""
    if not places:
        how = f"store it with `sudo speakerd key`, or set it in {env_file} or in the environment"
        return {API_KEY: f"{API_KEY} is missing: {how}"}
    if TOKEN_COMMAND in places and TOKEN_URL in places:
        what = f"{TOKEN_URL} in {places[TOKEN_URL]} is one too many"
        return {TOKEN_URL: f"{what}: {TOKEN_COMMAND} is set, too; choose one of them"}
    return {}


def keys_unused(places: Mapping[str, str]) -> Iterator[str]:
    """The key that lies there for nothing, if one does."""
    for tokens in (TOKEN_COMMAND, TOKEN_URL):
        if API_KEY in places and tokens in places:
            yield f"{API_KEY} in {places[API_KEY]} is not used: {tokens} is set"


def token_sources(settings: Settings) -> list[str]:
    """The variables that say where tokens come from; none where the key is what counts."""
    chosen = {TOKEN_COMMAND: settings.token_command, TOKEN_URL: settings.token_url}
    return [variable for variable, value in chosen.items() if value]


def collisions(settings: Settings) -> dict[str, str]:
    """For each variable that does not go with another one: why; it reads on from the value."""
    return _pins_taken_twice(settings) | _compressed_too_little(settings)


#: Those that mean something only in a conversation.
_OF_A_CONVERSATION = (
    "conversation_silence_s",
    "conversation_length_s",
    "echo_cancelled",
    "vad_start",
    "vad_end",
    "vad_padding_ms",
    "vad_silence_ms",
)
#: And those that mean nothing in one.
_OF_PUSH_TO_TALK = ("button_mode",)


def doubts(settings: Settings) -> Iterator[str]:
    """One line for each that does nothing, or perhaps not what is wanted."""
    for option, needed in _do_nothing(settings):
        yield f"{variable_of(option)} does nothing without {' or '.join(map(variable_of, needed))}"
    taking = f"{variable_of('turn_taking')}=conversation"
    in_conversation = settings.turn_taking == "conversation"
    for option in _OF_PUSH_TO_TALK if in_conversation else _OF_A_CONVERSATION:
        if getattr(settings, option) != type(settings).model_fields[option].default:
            how = "with" if in_conversation else "without"
            yield f"{variable_of(option)} does nothing {how} {taking}"
    if doubt := voices.doubt(settings.voice):
        yield f"{variable_of('voice')} is {settings.voice!r}: {doubt}"
    yield from instruction.doubts(settings)
    if settings.mcp_servers is not None:
        yield from mcp.doubts(settings.mcp_servers)
    yield from _uncounted(settings)


def _pins_taken_twice(settings: Settings) -> dict[str, str]:
    owners: dict[int, str] = {}
    found: dict[str, str] = {}
    for variable, pin in _pins_of(settings):
        if owners.setdefault(pin, variable) != variable:
            found[variable] = f"but GPIO{pin} is {owners[pin]}'s: choose another"
    return found


def _compressed_too_little(settings: Settings) -> dict[str, str]:
    trigger, target = settings.compression_trigger_tokens, settings.compression_target_tokens
    if target is None or target < trigger:
        return {}
    variable = variable_of("compression_target_tokens")
    least = variable_of("compression_trigger_tokens")
    return {variable: f"which is not below {least}, {trigger}"}


def _do_nothing(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The options that were chosen and mean nothing as the others are, and those they need."""
    for option, needed in _NEEDS.items():
        chosen = getattr(settings, option) != type(settings).model_fields[option].default
        if chosen and not any(getattr(settings, each) for each in needed):
            yield option, needed


def _uncounted(settings: Settings) -> Iterator[str]:
    """The models that a budget is set for, and whose price is not known."""
    budget, prices = variable_of("daily_budget"), variable_of("prices")
    models = (settings.model, *settings.fallback_models) if settings.daily_budget else ()
    for model in models:
        if price_of(model, settings.prices) is None:
            unknown = f"{budget} does not count {model}, whose price is not known"
            yield f"{unknown}: name all of it in {prices}"


def _pins_of(settings: Settings) -> Iterator[tuple[str, int]]:
    """Every GPIO line that is named, with the variable that does."""
    for option in _PIN_OPTIONS:
        value = getattr(settings, option)
        pins = value if isinstance(value, tuple) else (value,)
        yield from ((variable_of(option), pin) for pin in pins if pin is not None)
