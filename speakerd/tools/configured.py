"""The tools that a configuration gives by itself, for those who ask without a daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.errors import ConfigError
from speakerd.tools.commands import NamedCommands, clashes
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from speakerd.config import Loaded

_VARIABLES = ("SPEAKERD_TOOLS", "SPEAKERD_COMMANDS_FILE", "SPEAKERD_MCP_SERVERS")


def configured(loaded: Loaded) -> Toolbox:
    """What the daemon would begin with, but for what others bring while it runs.

    Raises ConfigError where it would not begin, for the sake of its tools.
    """
    wrong = [loaded.problems[name] for name in _VARIABLES if name in loaded.problems]
    if wrong := [*wrong, *clashes(loaded.settings)]:
        raise ConfigError("\n".join(wrong))
    settings = loaded.settings
    commands = NamedCommands().tools(settings.commands_file)
    hands_free = settings.turn_taking == "conversation"
    return Toolbox.of(settings.tools, commands, hands_free=hands_free)
