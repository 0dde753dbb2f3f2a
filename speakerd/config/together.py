"""What the options mean together: which of them collide, and which do nothing without another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.config.settings import variable_of

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    "volume_step": (*_VOLUME_KEYS, "knob_pins"),
}


def pins_taken_twice(settings: Settings) -> dict[str, tuple[int, str]]:
    """For each variable that names a pin another one has named before: which pin, and by whom."""
    owners: dict[int, str] = {}
    found: dict[str, tuple[int, str]] = {}
    for variable, pin in _pins_of(settings):
        if owners.setdefault(pin, variable) != variable:
            found[variable] = (pin, owners[pin])
    return found


def do_nothing(settings: Settings) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The options that were chosen and mean nothing as the others are, and those they need."""
    for option, needed in _NEEDS.items():
        chosen = getattr(settings, option) != type(settings).model_fields[option].default
        if chosen and not any(getattr(settings, each) for each in needed):
            yield option, needed


def _pins_of(settings: Settings) -> Iterator[tuple[str, int]]:
    """Every GPIO line that is named, with the variable that does."""
    for option in _PIN_OPTIONS:
        value = getattr(settings, option)
        pins = value if isinstance(value, tuple) else (value,)
        yield from ((variable_of(option), pin) for pin in pins if pin is not None)
