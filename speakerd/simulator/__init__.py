"""A strict stand-in for the Gemini Live API: no key, no network, no cost.

:class:`~speakerd.simulator.server.Simulator` runs it inside a program (the tests and the demo),
``speakerd simulator`` for any client. The rules it enforces are in docs/simulator.md.

``connection`` and what it uses are the protocol, pure; ``server`` puts it on TLS WebSockets.
"""

from speakerd.simulator.options import Pacing, SimulatorOptions
from speakerd.simulator.records import ConnectionRecord, Outcome, TurnRecord
from speakerd.simulator.server import Simulator

__all__ = [
    "ConnectionRecord",
    "Outcome",
    "Pacing",
    "Simulator",
    "SimulatorOptions",
    "TurnRecord",
]
