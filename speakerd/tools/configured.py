"""The tools that a configuration gives by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speakerd.errors import ConfigError
from speakerd.tools.commands import NamedCommands, clashes
from speakerd.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Iterable

    from speakerd.config import Loaded
    from speakerd.config.settings import Settings
    from speakerd.tools.tool import Tool

_VARIABLES = ("SPEAKERD_TOOLS", "SPEAKERD_COMMANDS_FILE", "SPEAKERD_MCP_SERVERS")


def configured(loaded: Loaded) -> Toolbox:
    """What a daemon would begin with, but for what servers bring while it runs.

    Raises ConfigError where it would not begin, for the sake of its tools.
    """
    wrong = [loaded.problems[name] for name in _VARIABLES if name in loaded.problems]
    if wrong := [*wrong, *clashes(loaded.settings)]:
        raise ConfigError("\n".join(wrong))
    return toolbox_of(loaded.settings, NamedCommands())


def toolbox_of(settings: Settings, commands: NamedCommands, more: Iterable[Tool] = ()) -> Toolbox:
    """The sets that are switched on and the commands of their file, made by ``commands``.

    Then ``more``.
    """
    named = commands.tools(settings.commands_file)
    hands_free = settings.turn_taking == "conversation"
    return Toolbox.of(settings.tools, (*named, *more), hands_free=hands_free)
