"""The daemon: the composition root, which knows every room and is known to the door only."""

from speakerd.daemon.process import run
from speakerd.daemon.root import Daemon

__all__ = ["Daemon", "run"]
