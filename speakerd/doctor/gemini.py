"""Gemini itself: would it take the key, the model and the settings? Asking costs nothing."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from speakerd import config
from speakerd.config.features import OPTIONS
from speakerd.config.instruction import time_zone
from speakerd.config.sources import TOKEN_COMMAND, TOKEN_URL, variable_of
from speakerd.config.together import WAYS_IN, token_sources
from speakerd.doctor.account import who_runs
from speakerd.doctor.asking import ask as ask_daemon
from speakerd.doctor.findings import Finding, Level, fail, ok, warn
from speakerd.errors import FailureKind, Feature, UnavailableError
from speakerd.live import probe
from speakerd.live.fetching import Command, source_of
from speakerd.live.setup import Wishes
from speakerd.service.threads import DaemonThreads
from speakerd.tools.commands import NamedCommands
from speakerd.tools.configured import toolbox_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from speakerd.config import Loaded
    from speakerd.config.settings import Settings
    from speakerd.doctor.system import System
    from speakerd.live.fetching import Source
    from speakerd.live.transport import Timeouts

AREA = "gemini"
_RELOAD = "then: sudo systemctl reload speakerd"
_ANEW = "install speakerd anew: sudo make install, or sudo apt install --reinstall speakerd"
_KNOWN_MODEL = "gemini-3.8-live"

#: What to do about a part of the setup that the server refuses, where it is not to leave out the
#: options that ask for it; {there} is where options go.
_DO_WITHOUT = {
    Feature.SEARCH: "SPEAKERD_GOOGLE_SEARCH=false {there}; or use a key whose project may search",
    Feature.VOICE: "SPEAKERD_VOICE= (without a value, or with another voice) {there}",
    Feature.TRANSCRIPTION: "nothing to set; another SPEAKERD_MODEL may have it",
    Feature.COMPRESSION: "nothing to set; another SPEAKERD_MODEL may have it",
    Feature.TOOLS: "SPEAKERD_TOOLS=none {there}; another SPEAKERD_MODEL may have them",
}
#: What to do about a connection that is not made; the texts of SETUP name the setting.
_REMEDIES = {
    FailureKind.NETWORK: "see what was found about the network, above",
    FailureKind.TIMEOUT: "see what was found about the network, above; then try again",
    FailureKind.IDLE: "try again; if it stays so: https://aistudio.google.com/status",
    FailureKind.SERVER: "try again; if it stays so: https://aistudio.google.com/status",
    FailureKind.QUOTA: "wait a minute, or see https://aistudio.google.com/usage",
    # no handle was sent: it is the model
    FailureKind.HANDLE: f"SPEAKERD_MODEL={_KNOWN_MODEL} {{there}}",
    FailureKind.MODEL: f"SPEAKERD_MODEL={_KNOWN_MODEL} {{there}}",
    FailureKind.KEY: "sudo speakerd key",
    FailureKind.TOKEN: f"{TOKEN_COMMAND} {{there}}",
    FailureKind.SETUP: "change the setting that it names {there}",
}
#: Where no model would do either: they are not asked.
_FINAL = {
    FailureKind.KEY,
    FailureKind.TOKEN,
    FailureKind.NETWORK,
    FailureKind.TIMEOUT,
    FailureKind.QUOTA,
}


def check(system: System) -> Iterator[Finding]:
    """Ask for every model that the configuration names, as the daemon would."""
    if system.loaded is None or not WAYS_IN.isdisjoint(system.loaded.problems):
        yield from _without_key(system)
        return
    config.export_library_variables(system.loaded)
    try:
        answers = ask(system.loaded.settings, _source(system, system.loaded.settings))
    except ImportError as error:
        what = f"google-genai cannot be imported: {type(error).__name__}: {error}"
        yield fail(AREA, what, _ANEW)
        return
    yield from judged(system.loaded, answers)


CHECKS = (check,)


def _source(system: System, settings: Settings) -> Source | None:
    """What gives tokens; a command runs as the service's user, whose ssh keys it may need."""
    source = source_of(settings)
    if not (isinstance(source, Command) and system.privileged):
        return source
    account = who_runs(system)
    if not account.service:
        return source
    return dataclasses.replace(source, argv=("runuser", "-u", account.name, "--", *source.argv))


def judged(loaded: Loaded, answers: list[probe.Answer]) -> Iterator[Finding]:
    """What the answers to the model and its fallbacks, in their order, mean for the speaker."""
    accepted = any(answer.failure is None for answer in answers)
    tokens = token_sources(loaded.settings)
    remedies = _REMEDIES | (_remedies_of(loaded.settings) if tokens else {})
    for answer in answers:
        if answer.failure is None:
            yield ok(
                AREA,
                f"{answer.model} takes the {'token' if tokens else 'key'} and the settings, "
                f"after {answer.took_s:.1f} s",
            )
            if answer.left_out:
                what = f"{answer.model} does not take {' and '.join(answer.left_out)}: left out"
                yield warn(AREA, what, _in_file(loaded, _unset(answer.left_out)))
            for feature in sorted(answer.without, key=lambda each: each.value):
                what = f"{answer.model} refuses {feature.value}: the speaker goes on without it"
                yield warn(AREA, what, _in_file(loaded, _do_without(loaded, feature)))
        else:
            level = Level.WARN if accepted else Level.FAIL
            what = f"{answer.model}: {answer.failure}"
            remedy = _in_file(loaded, remedies[answer.failure.kind])
            yield Finding(level, AREA, what, remedy)


def _remedies_of(settings: Settings) -> dict[FailureKind, str]:
    """What to do about tokens that do not come, or that the server does not take."""
    by_hand = f"sudo -u speakerd {settings.token_command}"
    return {
        FailureKind.KEY: "on the machine that has the key: speakerd doctor",
        FailureKind.TOKEN: f"mend what this says: {by_hand}"
        if settings.token_command
        else f"another {TOKEN_URL} {{there}}",
    }


def ask(
    settings: Settings,
    source: Source | None = None,
    timeouts: Timeouts | None = None,
    limit_s: float = 15.0,
) -> list[probe.Answer]:
    """The answers to the model and, as far as it matters, its fallbacks; each within ``limit_s``.

    ``source`` gives tokens; without it the key is what counts. Raises ImportError where
    google-genai cannot be imported.
    """
    zone = time_zone(Path("/"), os.environ.get("TZ", ""))
    toolbox = toolbox_of(settings, NamedCommands())
    wishes = Wishes.of(settings, toolbox.declarations(), zone)
    answers: list[probe.Answer] = []
    with asyncio.Runner() as runner:
        # a name server that does not answer must not hold up the end
        runner.get_loop().set_default_executor(DaemonThreads())
        for model in dict.fromkeys((settings.model, *settings.fallback_models)):
            asking = probe.ask(
                model,
                settings.gemini_api_key,
                wishes,
                source=source,
                timeouts=timeouts,
                limit_s=limit_s,
            )
            answers.append(runner.run(asking))
            failure = answers[-1].failure
            if failure is not None and failure.kind in _FINAL:
                break
    return answers


def _without_key(system: System) -> Iterator[Finding]:
    """Gemini can only be asked with the key; a daemon that has it has asked already."""
    if system.daemon is None:
        what = "not asked: there is no key that may be used here"
        yield warn(AREA, what, "sudo speakerd doctor, when there is a key")
        return
    try:
        status = ask_daemon(system.daemon, "status")
    except UnavailableError:  # told with the service
        return
    if status.get("link") == "ready" or status.get("turns"):
        yield ok(AREA, f"the speaker talks with {status.get('model')}")
    else:
        what = "not asked, because only root may read the key"
        yield warn(AREA, what, "sudo speakerd doctor")


def _do_without(loaded: Loaded, feature: Feature) -> str:
    """The remedy for a part that is refused: by default, not to ask for it."""
    if feature in _DO_WITHOUT:
        return _DO_WITHOUT[feature]
    fields = type(loaded.settings).model_fields
    chosen = [
        each for each in OPTIONS[feature] if getattr(loaded.settings, each) != fields[each].default
    ]
    return _unset(map(variable_of, chosen or OPTIONS[feature]))


def _unset(variables: Iterable[str]) -> str:
    return f"{' and '.join(f'{each}=' for each in variables)} (without a value) {{there}}"


def _in_file(loaded: Loaded, remedy: str) -> str:
    return remedy.format(there=f"in {loaded.env_file}, {_RELOAD}")
