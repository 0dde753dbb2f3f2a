"""What the tests of the panel share: mock pins, and what keys, a knob and a lamp have told."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING

import gpiozero
from gpiozero.pins.mock import MockFactory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

PATIENCE_S = 10.0
RETRY_S = 0.01  # as soon as that, so that tests need not wait


class Told:
    """What was told by callbacks, in order: the name of the callback, and its arguments."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[object, ...]] = queue.Queue()

    def by(self, name: str) -> Callable[..., None]:
        """A callback of this name."""
        return lambda *arguments: self._queue.put((name, *arguments))

    def next(self) -> tuple[object, ...]:
        return self._queue.get(timeout=PATIENCE_S)

    def rest(self) -> list[tuple[object, ...]]:
        return [self._queue.get() for _ in range(self._queue.qsize())]


@contextlib.contextmanager
def mock_pins(
    monkeypatch: pytest.MonkeyPatch, pin_class: type | None = None
) -> Iterator[MockFactory]:
    """The pins that GPIOZERO_PIN_FACTORY=mock makes, made before so that tests can drive them."""
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "mock")
    factory = MockFactory(pin_class=pin_class)
    monkeypatch.setattr(gpiozero.Device, "pin_factory", factory)
    yield factory
    factory.close()
