"""The daemon: the composition root, which knows every room and is known to the door only."""

from speakerd.daemon.root import Daemon, run

__all__ = ["Daemon", "run"]
