"""The sound cards, the microphone and the speaker: are they there, open, heard, not muted?

While a daemon runs, the devices are its own, and it is asked. Otherwise they are opened as it
would open them, by the same code.
"""

from __future__ import annotations

import functools
import os
import re
from typing import TYPE_CHECKING

from speakerd.audio.cards import cards, cards_of
from speakerd.audio.controls import in_the_way, mixer_of
from speakerd.audio.earcons import tone
from speakerd.audio.level import Level, Verdict
from speakerd.config import boards
from speakerd.doctor.account import device_nodes, who_runs
from speakerd.doctor.asking import ask, silent, told_of
from speakerd.doctor.devices import ADD_A_CARD, hardware, missing, write
from speakerd.doctor.findings import fail, ok, warn
from speakerd.doctor.trial import MICROPHONE, SPEAKER, Listening, loudest, play, real_alsa
from speakerd.errors import DeviceError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.doctor.findings import Finding
    from speakerd.doctor.system import DaemonPort, System
    from speakerd.doctor.trial import Alsa, Use

_AREA = "sound card"
_LIBRARY = "sudo apt install libasound2 (libasound2t64 on Debian 13), then sudo make install"
#: What alsa-lib asks the sound server of the user who is logged in for.
_PER_USER = frozenset(("pulse", "pipewire", "jack"))
#: Where a definition of ``default`` may be; the last one counts (alsa.conf's hooks).
_ALSA_CONFIGS = ("var/lib/alsa/conf.d/*.conf", "etc/alsa/conf.d/*.conf", "etc/asound.conf")
_DEFAULT = re.compile(r'^\s*pcm\.!?default\s*(?:\{[^{}]*?\btype\s+)?"?([\w-]+)', re.MULTILINE)
_COMMENT = re.compile(r"#.*")
_NUMBERED = re.compile(r"\b\w+:(?:CARD=)?(\d+)(?:,(?:DEV=)?(\d+))?")
#: Even a quiet room, and a MEMS microphone's own noise, move more than some steps of 16 bits.
_DEAF_PEAK_DBFS = -78.0
_ASK_TO_SPEAK = "Please say something into the microphone for a few seconds, as you usually would."


def check_library(_system: System) -> Iterator[Finding]:
    """Whether ALSA can be reached at all; only told where it cannot."""
    try:
        real_alsa()
    except ImportError as error:
        yield fail(_AREA, f"ALSA's library does not load: {error}", _LIBRARY)


def check_cards(system: System) -> Iterator[Finding]:
    """Which sound cards there are, and whether they can hear and play."""
    found = cards(system.root / "proc")
    if not found:
        yield fail(_AREA, "ALSA sees no sound card", ADD_A_CARD)
        return
    names = ", ".join(map(str, found))
    for use in (MICROPHONE, SPEAKER):
        if not any(card.pcms(capture=use.capture) for card in found):
            yield fail(_AREA, f"none of the sound cards has a {use.area}: {names}", ADD_A_CARD)
            return
    yield ok(_AREA, names)


def check_permissions(system: System) -> Iterator[Finding]:
    """Whether the service's user may open the sound cards."""
    nodes = sorted((system.root / "dev/snd").glob("pcm*"))
    if nodes:
        yield from device_nodes(system, _AREA, nodes, "sound")


def check_names(system: System) -> Iterator[Finding]:
    """Whether the names of the devices are such as last."""
    for use in (MICROPHONE, SPEAKER):
        device = _device(system, use)
        if device is None:
            return
        if numbered := _NUMBERED.search(device):
            named = cards_of(device, system.root / "proc")
            if named:
                name = f"plughw:CARD={named[0].id},DEV={numbered[2] or 0}"
                yield warn(
                    use.area,
                    f"{device} is a number, and may be another card after the next boot",
                    write(system, use, name),
                )
        elif (server := _per_user(system, device)) and who_runs(system).service:
            via = "" if device == server else f", which leads to {server}"
            yield warn(
                use.area,
                f"{device}{via}: a sound server of whoever is logged in, not for a service",
                write(system, use, hardware(system, use) or "plughw:CARD=NAME,DEV=0"),
            )


def check_mixer(system: System, alsa: Alsa | None = None) -> Iterator[Finding]:
    """Whether a mixer mutes what should be heard."""
    alsa = alsa or _alsa()
    if _is_locked(system):
        yield warn(_AREA, f"user {system.user} may not look at the mixers", "sudo speakerd doctor")
        return
    for use in (MICROPHONE, SPEAKER):
        device = _device(system, use)
        if alsa is None or device is None:
            return
        mixer = _mixer(system, use, device)
        try:
            found = alsa.controls(mixer)
        except DeviceError as error:
            if cards(system.root / "proc"):  # or else it has been told what is missing
                yield warn(use.area, str(error), f"alsamixer -D {mixer}")
            continue
        stopping = in_the_way(found, capture=use.capture)
        for control in stopping:
            side = control.side(capture=use.capture)
            state = "off" if side is not None and side.on is False else "at zero"
            command = control.amixer(mixer, capture=use.capture, volume="80%")
            what = f"{control.name} of the mixer {mixer} is {state}"
            yield fail(use.area, what, f"{command} && sudo alsactl store")
        if found and not stopping:
            yield ok(use.area, f"the mixer {mixer} lets sound through")


def check_microphone(system: System, alsa: Alsa | None = None) -> Iterator[Finding]:
    """Whether the microphone can be opened, and what it hears."""
    alsa, device = alsa or _alsa(), _device(system, MICROPHONE)
    if alsa is None or device is None:
        return
    if system.daemon is not None:
        yield from _daemons_microphone(system, system.daemon, alsa, device)
        return
    if _is_locked(system):
        return  # told with the mixers
    try:
        with Listening(device, alsa) as listening:
            level = loudest(listening.level, _asked_to_speak(system, alsa))
            overruns = listening.overruns
    except DeviceError as error:
        yield missing(system, MICROPHONE, alsa, device, str(error))
        return
    yield ok("microphone", f"{device} captures at 16 kHz")
    if overruns:
        yield _too_busy("microphone", f"{device} lost sound {_times(overruns)} in a few seconds")
    if level is not None:
        yield _judged(system, alsa, device, level)


def check_speaker(system: System, alsa: Alsa | None = None) -> Iterator[Finding]:
    """Whether the speaker can be opened; plays the test tone."""
    alsa, device = alsa or _alsa(), _device(system, SPEAKER)
    if alsa is None or device is None or system.loaded is None:
        return
    if system.daemon is not None:
        yield from _daemons_speaker(system, system.daemon, alsa, device)
        return
    if _is_locked(system):
        return
    _announce_the_tone(system)
    try:
        underruns = play(device, alsa, tone(), wake_ms=system.loaded.settings.wake_ms)
    except DeviceError as error:
        yield missing(system, SPEAKER, alsa, device, str(error))
        return
    yield _played(f"{device} plays at 24 kHz")
    if underruns:
        yield _too_busy("speaker", f"{device} ran dry {_times(underruns)} in a second of sound")


CHECKS = (
    check_library,
    check_cards,
    check_permissions,
    check_names,
    check_mixer,
    check_microphone,
    check_speaker,
)


# --- what is the daemon's


def _daemons_microphone(
    system: System, daemon: DaemonPort, alsa: Alsa, device: str
) -> Iterator[Finding]:
    if (obstacle := _obstacle(system, daemon, alsa, MICROPHONE, device)) is not None:
        yield obstacle
        return
    yield ok("microphone", "the daemon has it open")
    if system.loaded is not None and not system.loaded.settings.preroll_ms:
        return  # it is off while nobody speaks, as was asked for
    refusals: list[str] = []  # of which the last one counts, if it says nothing else
    for_s = _asked_to_speak(system, alsa)
    level = loudest(functools.partial(_level_of, daemon, refusals), for_s)
    if level is None:
        what = f"its level is not known: {refusals[-1]}"
        yield warn("microphone", what, "speakerd doctor, once more")
    else:
        yield _judged(system, alsa, device, level)


def _level_of(daemon: DaemonPort, refusals: list[str]) -> Level | None:
    """What the daemon hears now; None where it has just begun to, or does not say."""
    try:
        answer = ask(daemon, "level")
        peak_dbfs, rms_dbfs = float(str(answer["peak_dbfs"])), float(str(answer["rms_dbfs"]))
        return Level(peak_dbfs, rms_dbfs, Verdict(str(answer["verdict"])))
    except (UnavailableError, KeyError, ValueError) as error:
        refusals.append(str(error))
        return None


def _daemons_speaker(
    system: System, daemon: DaemonPort, alsa: Alsa, device: str
) -> Iterator[Finding]:
    if (obstacle := _obstacle(system, daemon, alsa, SPEAKER, device)) is not None:
        yield obstacle
        return
    _announce_the_tone(system)
    try:
        ask(daemon, "tone")
    except UnavailableError as error:
        what = f"the daemon plays no test tone on {device}: {error}"
        yield warn("speaker", what, "speakerd doctor, once more")
    else:
        yield _played("the daemon has it open")


def _obstacle(
    system: System, daemon: DaemonPort, alsa: Alsa, use: Use, device: str
) -> Finding | None:
    """Why the daemon has no such device to be asked about; None where it has."""
    try:
        word = told_of(daemon, use.area)
    except UnavailableError as error:
        return silent(use.area, error)
    if word == "ready":
        return None
    if word == "starting":
        what = f"the daemon is still opening {device}"
        return warn(use.area, what, "speakerd doctor, once more in some seconds")
    return missing(system, use, alsa, device, word)


# --- what is said


def _asked_to_speak(system: System, alsa: Alsa) -> float:
    """Ask the person to speak, if there is one; returns how long to listen."""
    if system.person is None:
        return alsa.listen_s
    system.person.tell(_ASK_TO_SPEAK)
    return alsa.speak_s


def _announce_the_tone(system: System) -> None:
    if system.person is not None:
        system.person.tell("You should hear three notes now, upwards.")


def _played(what: str) -> Finding:
    return ok("speaker", f"{what}; it was given a test tone of three notes, upwards")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _too_busy(area: str, what: str) -> Finding:
    return warn(area, f"{what}: the machine is too busy", "top -o %CPU shows what keeps it busy")


def _judged(system: System, alsa: Alsa, device: str, level: Level) -> Finding:
    area = "microphone"
    heard = f"peak {round(level.peak_dbfs)} dBFS, RMS {round(level.rms_dbfs)} dBFS"
    match level.verdict:
        case Verdict.SILENT:
            return fail(
                area,
                f"{device} gives digital silence: no sound at all, not even a room's noise",
                "look at its mute switch, and at the wires of an I2S one (data, L/R, 3V3), then"
                " run speakerd doctor again",
            )
        case Verdict.CLIPPED:
            what = f"it is too loud, and cut off ({heard})"
            return warn(area, what, _volume(system, alsa, device, "10%-"))
        case Verdict.QUIET if system.person is not None:
            what = f"your voice hardly comes through ({heard})"
            return warn(area, what, _volume(system, alsa, device, "10%+"))
        case Verdict.QUIET if level.peak_dbfs < _DEAF_PEAK_DBFS:
            what = f"it hears next to nothing, not even a room's noise ({heard})"
            return warn(area, what, _volume(system, alsa, device, "10%+"))
        case Verdict.QUIET:
            return ok(area, f"it hears a quiet room ({heard})")
        case _:
            return ok(area, f"it hears well ({heard})")


def _volume(system: System, alsa: Alsa, device: str, change: str) -> str:
    """The command that changes the capture volume, if the card has one."""
    mixer = _mixer(system, MICROPHONE, device)
    try:
        found = alsa.controls(mixer)
    except DeviceError:
        found = []
    for control in found:
        if control.capture is not None and control.capture.volume_percent is not None:
            command = control.amixer(mixer, capture=True, volume=change)
            return f"{command} && sudo alsactl store, until speakerd doctor is content"
    return f"its card has no capture volume: speak from {'nearer' if '+' in change else 'farther'}"


# --- what is looked up


def _is_locked(system: System) -> bool:
    """Whether there are sound cards that whoever runs the doctor may not open.

    alsa-lib does not say so of a card that is looked for by its name, but that there is none.
    """
    nodes = list((system.root / "dev/snd").glob("controlC*"))
    return bool(nodes) and not any(os.access(node, os.R_OK | os.W_OK) for node in nodes)


def _alsa() -> Alsa | None:
    try:
        return real_alsa()
    except ImportError:
        return None  # told by check_library


def _device(system: System, use: Use) -> str | None:
    """The configured PCM; None where there is no configuration to be had."""
    if system.loaded is None:
        return None
    settings = system.loaded.settings
    return settings.capture_device if use.capture else settings.playback_device


def _mixer(system: System, use: Use, device: str) -> str:
    """The name of the mixer of what ``device`` hears or plays."""
    if use.capture:
        device = boards.hearing(device, system.root)
    return mixer_of(device, system.root / "proc")


def _per_user(system: System, device: str) -> str | None:
    """The sound server that ``device`` leads to, if it is one of those that belong to a user."""
    server = device.partition(":")[0]
    if device == "default":
        for pattern in _ALSA_CONFIGS:
            for path in sorted(system.root.glob(pattern)):
                text = _COMMENT.sub("", path.read_text(errors="replace"))
                server = ([server] + [match[1] for match in _DEFAULT.finditer(text)])[-1]
    return server if server in _PER_USER else None
