"""The door: ``speakerd`` and its subcommands.

    exit 0   done, or stopped
    exit 2   the command line cannot be understood
    exit 69  what a one-shot command needs is not there, the daemon above all
    exit 70  a bug
    exit 78  the configuration cannot be used: systemd does not restart into the same mistake

Each command imports what it needs when it runs, so that ``--help`` and ``press`` are quick.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING

from speakerd import __version__
from speakerd.config import Origin, control_socket, examine, load
from speakerd.config.sources import API_KEY, DEFAULT_CONTROL_SOCKET
from speakerd.errors import ConfigError, SpeakerdError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from speakerd.config import Loaded

_KEY_PROMPT = "API key, from https://aistudio.google.com/apikey (not shown)"
#: The daemon answers after 60 s at the latest, in whatever turn it is.
_RELOAD_TIMEOUT_S = 75.0
#: Shells report a program that ended by SIGINT so.
_INTERRUPTED = 130
#: ... and by SIGPIPE so.
_UNREAD = 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` (without the program's name); returns the exit code."""
    argv = sys.argv[1:] if argv is None else argv
    args = _parser(argv).parse_args(argv)
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except SpeakerdError as error:
        from speakerd.service.journal import error_prefix

        prefix = error_prefix()
        for line in str(error).splitlines():
            print(f"{prefix}speakerd: {line}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # `speakerd demo | head` has read enough
        _let_go_of_stdout()
        return _UNREAD
    except Exception:
        logging.getLogger("speakerd").critical("internal error", exc_info=True)
        return SpeakerdError.exit_code


def _print(lines: Iterable[str]) -> None:
    """Print, at once. Raises UnavailableError where that is not possible."""
    try:
        print("\n".join(lines), flush=True)
    except OSError as error:
        _let_go_of_stdout()
        if not isinstance(error, BrokenPipeError):  # `speakerd config | head` has read enough
            raise UnavailableError(f"standard output: {error.strerror}") from None


def _let_go_of_stdout() -> None:
    """Or Python would try once more to write, and complain, when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="speakerd", description="A push-to-talk smart speaker for Google's Gemini."
    )
    parser.add_argument("--version", action="version", version=f"speakerd {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("run", _run, "Run the speaker in the foreground; systemd starts this.")
    command("key", _key, "Store the API key, from standard input, and start the service with it.")
    command("config", _config, "Show the options in effect, and where each comes from.")
    status = command("status", _status, "Show what the speaker is doing.")
    how = status.add_mutually_exclusive_group()
    how.add_argument("--json", action="store_true", help="as JSON, for programs")
    how.add_argument("--watch", action="store_true", help="go on, and show what changes")
    _told(command("press", _tell, "Hold the button down, until 'speakerd release'."), "press")
    _told(command("release", _tell, "Let go of the button."), "release")
    _told(command("stop", _tell, "Be silent."), "stop")
    _told(command("forget", _tell, "Begin the next conversation anew."), "forget")
    volume = command("volume", _volume, "Show the volume, or set it.")
    volume.add_argument(
        "percent",
        nargs="?",
        metavar="N",
        type=_percentage,
        help="in percent; +N is louder by so much, -N softer",
    )
    mute = command("mute", _mute, "Switch the microphone off, or on again.")
    mute.add_argument("how", nargs="?", choices=("on", "off"), help="otherwise the other way round")
    tools = command("tools", _tools, "Show what the model may call.")
    tools.add_argument("--json", action="store_true", help="as JSON, for programs")
    command("reload", _reload, "Read the env file again, and live by it after this turn.")
    say = command("say", _tell, "Ask the model something, as if it had been spoken.")
    _told(say, "say", text=True)
    announce = command("announce", _tell, "Have a text read out, as it is.")
    _told(announce, "announce", text=True)
    _later(
        command("doctor", _doctor, "Find out what is wrong, and say what mends it."),
        command("demo", _demo, "Hold one conversation, from the button to the loudspeaker."),
        command("simulator", _simulator, "Run a stand-in for Gemini's Live API."),
        command("token", _token, "Make a token, for a speaker that has no key."),
        # no option before the command takes a value
        chosen=next((word for word in argv if not word.startswith("-")), ""),
    )
    return parser


def _told(parser: argparse.ArgumentParser, command: str, *, text: bool = False) -> None:
    parser.set_defaults(command=command, refuse=parser.error)
    if text:
        parser.add_argument("text", nargs="+", metavar="TEXT")


def _later(
    doctor: argparse.ArgumentParser,
    demo: argparse.ArgumentParser,
    simulator: argparse.ArgumentParser,
    token: argparse.ArgumentParser,
    *,
    chosen: str,
) -> None:
    """Let the command that was chosen add its own options."""
    if chosen == "doctor":
        from speakerd.doctor.command import add_arguments

        add_arguments(doctor)
    elif chosen == "demo":
        from speakerd.demo.command import add_arguments

        add_arguments(demo)
    elif chosen == "simulator":
        from speakerd.simulator.command import add_arguments

        add_arguments(simulator)
    elif chosen == "token":
        from speakerd.live.minting import add_arguments

        add_arguments(token)


# --- commands that do something themselves


def _run(_args: argparse.Namespace) -> int:
    # Until the daemon minds them itself, there is nothing yet to be ended with care. An exception
    # would be lost where Python drops what is raised: in a weak reference's callback, say, and each
    # import ends with one.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    from speakerd.daemon import run

    environ = dict(os.environ)  # as it is now: what the env file says for the libraries goes there
    return run(lambda: load(environ))


def _doctor(args: argparse.Namespace) -> int:
    from speakerd.doctor.command import run

    return run(args)


def _demo(args: argparse.Namespace) -> int:
    from speakerd.demo.command import run

    return run(args)


def _simulator(args: argparse.Namespace) -> int:
    from speakerd.simulator.command import run

    return run(args)


def _key(_args: argparse.Namespace) -> int:
    from speakerd.config import checks, sources
    from speakerd.service import credential

    if os.geteuid() != 0:
        raise UnavailableError("the key is stored for systemd, by root: sudo speakerd key")
    key = _read_key()
    if problem := checks.no_key(key) if key else "is empty":
        raise ConfigError(f"this is no API key: it {problem}")
    _print([f"stored in {credential.store(key, credential.STORE)}"])
    in_file: Mapping[str, str] = {}
    with contextlib.suppress(ConfigError):  # the service tells of it
        in_file = sources.read_env_file(os.environ)
    for name in (API_KEY, sources.TOKEN_COMMAND, sources.TOKEN_URL):
        if sources.text_of(in_file, name):
            env_file = sources.env_file_of(os.environ)
            _print([f"but {env_file} sets {name}, and that one wins: remove it there"])
    _print([credential.restart()])
    return 0


def _read_key() -> str:
    """From the terminal or from a pipe; empty where there is none. Raises ConfigError."""
    try:
        if sys.stdin is None:
            return ""
        if sys.stdin.isatty():
            return getpass.getpass(f"{_KEY_PROMPT}: ").strip()
        return sys.stdin.readline().removeprefix(f"{API_KEY}=").strip()
    except EOFError:
        return ""
    except UnicodeDecodeError:
        raise ConfigError("this is no API key: it is not UTF-8 text") from None


def _config(_args: argparse.Namespace) -> int:
    from speakerd.config.render import in_effect
    from speakerd.service import credential
    from speakerd.tools.commands import clashes

    loaded = examine(credential.with_stored(os.environ, credential.STORE))
    found = "" if loaded.env_file.exists() else " (which is not there)"
    rows = list(in_effect(loaded))
    name_width, origin_width = (max(len(row[i]) for row in rows) for i in (0, 1))
    table = [
        f"{name:{name_width}}  {origin:{origin_width}}  {value}" for name, origin, value in rows
    ]
    _print([f"# env file: {loaded.env_file}{found}", *table])
    for warning in loaded.warnings:
        print(f"speakerd: warning: {warning}", file=sys.stderr)
    problems = dict(loaded.problems)
    if _key_is_missing(loaded) and credential.is_hidden(credential.STORE):
        del problems[API_KEY]
        said = "whether a key is stored, only root may see: sudo speakerd config"
        print(f"speakerd: {said}", file=sys.stderr)
    if wrong := [*problems.values(), *clashes(loaded.settings)]:
        raise ConfigError("\n".join(wrong))
    return 0


def _token(args: argparse.Namespace) -> int:
    from speakerd.config import export_library_variables
    from speakerd.live.minting import mint
    from speakerd.service import credential

    loaded = examine(credential.with_stored(os.environ, credential.STORE))
    key = loaded.settings.gemini_api_key
    if key is None:
        if credential.is_hidden(credential.STORE):
            raise ConfigError("whether a key is stored, only root may see: sudo speakerd token")
        missing = f"{API_KEY} is missing: tokens are made where it is; see speakerd config"
        raise ConfigError(loaded.problems.get(API_KEY, missing))
    refused = [line for name, line in loaded.problems.items() if name in loaded.library]
    if refused:  # the key must not go there
        raise ConfigError("\n".join(refused))
    export_library_variables(loaded)
    made = mint(key, minutes=args.minutes, uses=args.uses)
    _print([json.dumps(made.as_dict()) if args.json else made.name])
    return 0


def _key_is_missing(loaded: Loaded) -> bool:
    return API_KEY in loaded.problems and loaded.provenance[API_KEY] is Origin.DEFAULT


# --- commands for the daemon


def _tell(args: argparse.Namespace) -> int:
    message = {"command": args.command}
    if "text" in args:
        message["text"] = " ".join(args.text)
        if not message["text"].strip():
            args.refuse("TEXT is empty")
    answer = _ask(message)
    if "waits_for" in answer:
        _print(["it waits until nobody speaks any more"])
    return 0


def _volume(args: argparse.Namespace) -> int:
    message: dict[str, object] = {"command": "volume"}
    text = args.percent
    if text is not None:
        message["step" if text[0] in "+-" else "percent"] = int(text)
    answer = _ask(message)
    if text is None:
        _print([f"{answer.get('volume')} %"])
    return 0


def _percentage(text: str) -> str:
    """A number from -100 to 100, with its sign. Raises ArgumentTypeError for anything else."""
    try:
        percent = int(text)
    except ValueError:
        percent = 101
    if not -100 <= percent <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage; allowed: 0 to 100, +N or -N")
    return text.strip()


def _mute(args: argparse.Namespace) -> int:
    message: dict[str, object] = {"command": "mute"}
    if args.how is not None:
        message["on"] = args.how == "on"
    answer = _ask(message)
    _print(["muted" if answer.get("muted") else "not muted"])
    return 0


def _status(args: argparse.Namespace) -> int:
    from speakerd.service import screen

    if args.watch:
        return screen.watch(_daemons_socket(), sys.stdout)
    answer = _ask({"command": "status"})
    if args.json:
        _print([json.dumps(answer, indent=2, ensure_ascii=False)])
    else:
        _print(screen.lines(answer))
    return 0


def _tools(args: argparse.Namespace) -> int:
    from speakerd.service import client
    from speakerd.tools import listing

    try:
        found = _check(client.request(_daemons_socket(), {"command": "tools"}), "tools")
    except UnavailableError as error:
        said = "this is what the configuration alone gives, without the tools of MCP servers"
        print(f"speakerd: {error}\nspeakerd: {said}", file=sys.stderr)
        found = {"tools": _configured_tools()}
    if args.json:
        _print([json.dumps(found, indent=2, ensure_ascii=False)])
        return 0
    tools = found["tools"]
    _print(listing.lines(tools if isinstance(tools, list) else ()))
    if found.get("offered") is False:
        print("speakerd: the server refuses tools: none of these is offered", file=sys.stderr)
    return 0


def _configured_tools() -> list[dict[str, object]]:
    """What there is without a daemon. Raises ConfigError."""
    from speakerd.service import credential
    from speakerd.tools.configured import configured
    from speakerd.tools.listing import entry

    loaded = examine(credential.with_stored(os.environ, credential.STORE))
    return [*map(entry, configured(loaded))]


def _reload(_args: argparse.Namespace) -> int:
    from speakerd.service import client

    answer = client.request(_daemons_socket(), {"command": "reload"}, _RELOAD_TIMEOUT_S)
    problems = answer.get("problems")
    if isinstance(problems, list):
        raise ConfigError("\n".join(["refused, the old settings stay:", *problems]))
    _check(answer, "reload")
    _print(_reloaded(answer))
    return 0


def _reloaded(answer: Mapping[str, object]) -> Iterator[str]:
    """What a reload has changed, for people."""

    def lines(key: str) -> Iterable[str]:
        found = answer.get(key)
        return map(str, found) if isinstance(found, list) else ()

    yield from lines("changed")
    if not answer.get("changed"):
        if not answer.get("restart"):
            yield "nothing has changed"
    elif not answer.get("applied"):
        yield "this takes effect when the turn that is under way is over"
    for line in lines("restart"):
        yield f"needs a restart (sudo systemctl restart speakerd): {line}"
    for line in lines("warnings"):
        yield f"warning: {line}"
    if answer.get("key") == Origin.CREDENTIAL:
        yield "the API key is a systemd credential: another one needs a restart, too"


def _daemons_socket() -> Path:
    """Where the daemon is to be found: if it shall listen elsewhere, then after its restart."""
    path = control_socket(os.environ)
    if not os.path.exists(path) and os.path.exists(DEFAULT_CONTROL_SOCKET):  # noqa: PTH110 - Path's raises where it may not look
        return DEFAULT_CONTROL_SOCKET
    return path


def _ask(message: Mapping[str, object]) -> dict[str, object]:
    """The daemon's answer. Raises UnavailableError where it is none, or no."""
    from speakerd.service import client

    answer = client.request(_daemons_socket(), message)
    return _check(answer, str(message["command"]))


def _check(answer: dict[str, object], command: str) -> dict[str, object]:
    if answer.pop("ok", None) is not True:
        raise UnavailableError(f"{command}: {answer.get('error', 'refused')}")
    return answer
