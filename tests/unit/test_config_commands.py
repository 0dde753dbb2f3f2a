"""The file of commands: what it may say, what is told of its mistakes, and who may write it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config import commandsfile, load
from speakerd.config.changes import compare
from speakerd.config.commandsfile import NamedCommand
from speakerd.config.jsonfile import JsonFileError
from speakerd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from speakerd.config import Loaded

NAME = "SPEAKERD_COMMANDS_FILE"
SCENE: dict[str, Any] = {
    "description": "Set the light.",
    "command": ["/bin/echo", {"parameter": "name"}, "--level", {"parameter": "level"}],
    "parameters": {
        "name": {"choices": ["evening", "film"]},
        "level": {"whole_number": {"from": -10, "to": 100}, "default": 50},
    },
}


class Place:
    """An environment with a file of commands."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "commands.json"
        self.environ = {
            "SPEAKERD_ENV_FILE": str(directory / "speakerd.env"),
            "GEMINI_API_KEY": "a-key-of-nobody",
            NAME: str(self.file),
        }
        (directory / "speakerd.env").write_text("", encoding="utf-8")

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def load(self, **commands: object) -> Loaded:
        if commands:
            self.write(json.dumps({"commands": commands}))
        return load(self.environ)

    def mistakes(self, **commands: object) -> list[str]:
        """What is said of them, after the name of the file."""
        self.write(json.dumps({"commands": commands}))
        return self.mistakes_as_it_is()

    def mistakes_as_it_is(self) -> list[str]:
        with pytest.raises(JsonFileError) as caught:
            commandsfile.read(self.file, self.file.read_text(encoding="utf-8"))
        lines, beginning = caught.value.lines, str(self.file)
        assert all(line.startswith(beginning) and len(line) < 250 for line in lines), lines
        return [line.removeprefix(beginning).removeprefix(": ") for line in lines]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def commands(loaded: Loaded) -> dict[str, NamedCommand]:
    assert loaded.settings.commands_file is not None
    found: dict[str, NamedCommand] = loaded.settings.commands_file.content
    return found


def test_a_file_of_commands(place: Place) -> None:
    found = commands(
        place.load(set_scene=SCENE, ring={"description": "Ring.", "command": ["/bin/true"]})
    )
    assert list(found) == ["set_scene", "ring"]
    assert (found["ring"].limit_s, found["ring"].reads_only) == (30, False)
    scene = found["set_scene"]
    assert scene.argv({"name": "film", "level": 7.0}) == ("/bin/echo", "film", "--level", "7")
    assert scene.argv({"name": "film", "level": -5}) == ("/bin/echo", "film", "--level", "-5")
    assert scene.argv({"name": "film"}) == ("/bin/echo", "film", "--level", "50")


def without(key: str) -> dict[str, object]:
    return {each: value for each, value in SCENE.items() if each != key}


def of(parameter: object) -> dict[str, object]:
    """A command with one parameter."""
    return {
        "description": "Do it.",
        "command": ["/bin/echo", {"parameter": "it"}],
        "parameters": {"it": parameter},
    }


@pytest.mark.parametrize(
    ("command", "mistake"),
    [
        ("ring", 'x is "ring"; allowed: an object'),
        (without("description"), "x: description is missing; it is a text of 1 to 1000 letters"),
        (without("command"), "x: command is missing; it is a list of the absolute path of"),
        (without("parameters"), "x has no parameter 'level', which its command names: declare it"),
        (SCENE | {"descripton": "y"}, 'x: "descripton" is no key; did you mean description?'),
        (SCENE | {"sudo": True}, 'x: "sudo" is no key: take it out'),
        (SCENE | {"limit_s": 0}, "x: limit_s is 0; allowed: a number of seconds from 1 to 50"),
        (SCENE | {"limit_s": "9"}, 'x: limit_s is "9"; allowed: a number of seconds'),
        (SCENE | {"limit_s": float("nan")}, "x: limit_s is NaN; allowed: a number of seconds"),
        (SCENE | {"reads_only": 1}, "x: reads_only is 1; allowed: true or false"),
        (SCENE | {"description": ""}, 'x: description is ""; allowed: a text of 1 to 1000'),
        (
            SCENE | {"command": "/bin/echo"},
            'x: command: it is no list: write ["/usr/local/bin/program", "argument", ...]',
        ),
        (SCENE | {"command": []}, "x: command: it does not begin with a program"),
        (
            SCENE | {"command": [{"parameter": "name"}]},
            "x: command: it does not begin with a program: write its absolute path",
        ),
        (
            SCENE | {"command": ["echo"]},
            "x: command: 'echo' is no absolute path: `command -v` tells it",
        ),
        (
            SCENE | {"command": ["/no/echo"]},
            "x: command: /no/echo cannot be used (No such file or directory): install it in /usr",
        ),
        (SCENE | {"command": ["/bin"]}, "x: command: /bin is no file: name a program"),
        (
            SCENE | {"command": ["/bin/echo", 5]},
            'x: command: 5 is no argument: write a text, or {"parameter": NAME}',
        ),
        (
            SCENE | {"command": ["/bin/echo", "\ud800"]},
            r'x: command: "\ud800" is no argument: write a',
        ),
        (of({"pattern": "\ud800"}), r'x: parameter it: pattern is "\ud800"; allowed: a regular'),
        (SCENE | {"description": "\ud800"}, r'x: description is "\ud800"; allowed: a text of 1'),
        (SCENE | {"command": ["/bin/echo", "a\0b"]}, r'x: command: "a\u0000b" is no argument'),
        (
            SCENE | {"command": ["/bin/echo", {"parameter": "name", "or": 1}]},
            'x: command: {"parameter": "name", "or": 1} is no argument',
        ),
        (
            SCENE | {"command": ["/bin/sh", "-c", {"parameter": "name"}]},
            "x: command: a shell might run what was said: write a script that gets it as $1",
        ),
        (
            SCENE | {"command": ["/bin/echo", {"parameter": "name"}]},
            "x has a parameter 'level', which its command does not name: use it",
        ),
        (
            SCENE | {"parameters": {"Name": {}}},
            'x: parameters: "Name" is no name: small letters, digits',
        ),
        (of({}), "x: parameter it takes one of choices, whole_number and pattern: give it one"),
        (of({"choices": ["a"], "pattern": "a"}), "x: parameter it takes one of choices, whole_num"),
        (of({"choices": []}), "x: parameter it: choices: there is none of them, or one tw"),
        (
            of({"choices": ["a", "a"]}),
            "x: parameter it: choices: there is none of them, or one twice: name each",
        ),
        (of({"choices": ["a\n"]}), r'choices: "a\n" is nothing that can be said: write what can'),
        (of({"choices": [""]}), 'x: parameter it: choices: "" is nothing that can be said: write'),
        (of({"choices": ["a", 1]}), "x: parameter it: choices is 1; allowed: a list of 1 to 100"),
        (of({"whole_number": 5}), 'whole_number is 5; allowed: {"from": N, "to": M}'),
        (of({"whole_number": {"from": 1}}), "x: parameter it: to is missing; it is a whole number"),
        (
            of({"whole_number": {"from": 1, "to": 0}}),
            "x: parameter it: whole_number: it ends before it begins: exchange from",
        ),
        (of({"whole_number": {"from": 0, "to": 10**400}}), "x: parameter it: whole_number is 1000"),
        (
            of({"pattern": "("}),
            'x: parameter it: pattern: "(" cannot be used (unclosed group): a regular expr',
        ),
        (of({"pattern": "a)|(?:b"}), "cannot be used (unopened group)"),
        (of({"pattern": r"(a)\1"}), "cannot be used (backreferences are not supported)"),
        (of({"pattern": "(?=a)"}), "cannot be used (look-around, including look-ahead"),
        (
            of({"pattern": "a", "longest": 201}),
            "longest is 201; allowed: a whole number of letters",
        ),
        (
            of({"choices": ["a"], "longest": 5}),
            "it has longest, which does nothing without pattern",
        ),
        (
            of({"choices": ["a"], "default": "b"}),
            'it has the default "b", which is none of a: corr',
        ),
        (
            of({"choices": ["a"], "default": 1.5}),
            "x: parameter it: default is 1.5; allowed: a value",
        ),
        (of({"pattern": ".*", "default": "-f"}), 'has the default "-f", which begins with -: corr'),
    ],
)
def test_a_mistake_is_one_line_with_its_place_and_its_remedy(
    place: Place, command: object, mistake: str
) -> None:
    (line,) = place.mistakes(x=command)
    assert line.startswith("x")
    assert mistake in line


def test_each_mistake_is_a_line_with_the_option_too(place: Place) -> None:
    with pytest.raises(ConfigError) as caught:
        place.load(x=SCENE | {"limit_s": 0, "reads_only": 1})
    assert [line.split(":")[:3] for line in str(caught.value).splitlines()] == [
        [NAME, f" {place.file}", " x"]
    ] * 2


def test_each_mistake_has_its_line(place: Place) -> None:
    lines = place.mistakes(
        open=of({"choices": 5, "longst": 5}), shut={"command": ["true"]}, ring=without("command")
    )
    assert [line.split(":")[0] for line in lines] == ["open", "open", "shut", "shut", "ring"]


@pytest.mark.parametrize("name", ["Open", "2nd", "öffne", "a-b", "a.b", "", "a" * 64, "a\n"])
def test_a_name_is_one_that_the_model_can_call(place: Place, name: str) -> None:
    (line,) = place.mistakes(**{name: SCENE})
    assert line.startswith(f"the file: commands: {json.dumps(name)[:57]}")
    assert " is no name: small letters, digits and _, " in line


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", ":1: this is not JSON: Expecting value"),
        ('{"commands":\n{,}}', ":2: this is not JSON: Expecting property name"),
        ("[" * 30_000, "maximum recursion depth"),
        ("[]", "the file is []; allowed: an object"),
        ("{}", "the file: commands is missing; it is an object of commands by their names"),
        ('{"commands": []}', "the file: commands is []; allowed: an object of commands"),
        ('{"commands": {}, "more": 1}', 'the file: "more" is no key: take it out'),
        ('{"commands": {}, "commands": {}}', '"commands" is in one object twice'),
    ],
)
def test_what_is_no_such_file(place: Place, text: str, mistake: str) -> None:
    place.write(text)
    (line,) = place.mistakes_as_it_is()
    assert line.removeprefix("this cannot be used: ").startswith(mistake)


def test_a_file_that_is_not_there(place: Place) -> None:
    with pytest.raises(ConfigError, match="which cannot be read: No such file or directory"):
        place.load()


@pytest.mark.parametrize(
    ("mode", "who"), [(0o664, "the group "), (0o646, "everybody"), (0o1646, "everybody")]
)
def test_nobody_else_may_write_it(place: Place, mode: int, who: str) -> None:
    place.load(set_scene=SCENE)
    place.file.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        place.load()
    assert f"{NAME}: {who}" in str(caught.value)
    assert str(caught.value).endswith(f"and must not: sudo chmod go-w {place.file}")


def test_nobody_else_may_put_another_in_its_place(place: Place) -> None:
    place.load(set_scene=SCENE)
    folder = place.file.parent
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=rf"may write {folder}, .*: sudo chmod go-w {folder}$"):
        place.load()
    folder.chmod(0o1777)  # as /tmp: nobody takes away what is another's
    place.load()


def test_nor_in_the_place_of_what_a_link_leads_to(place: Place) -> None:
    place.load(set_scene=SCENE)
    folder = place.file.parent / "theirs"
    folder.mkdir()
    place.file.rename(folder / "commands.json")
    place.file.symlink_to(folder / "commands.json")
    place.load()
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match=rf"may write {folder}, .*: sudo chmod go-w {folder}$"):
        place.load()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_it_is_roots_or_ours(place: Place) -> None:
    place.load(set_scene=SCENE)
    os.chown(place.file, 64_321, -1)
    with pytest.raises(ConfigError, match=f"belongs to 64321, .* sudo chown root {place.file}$"):
        place.load()


def test_a_program_is_one_that_may_be_run_and_nobody_else_writes(place: Place) -> None:
    program = place.file.parent / "garage"
    program.write_text("#!/bin/sh\n")
    for mode, mistake in (
        (0o644, f"x: command: {program} may not be run: sudo chmod a+rx {program}"),
        (0o775, f"may write {program}, and must not: sudo chmod go-w {program}"),
        (0o757, f"x: command: everybody may write {program}, and must not"),
    ):
        program.chmod(mode)
        (line,) = place.mistakes(x={"description": "Open it.", "command": [str(program)]})
        assert mistake in line
    program.chmod(0o755)
    place.load()


def test_a_reload_tells_what_has_changed(place: Place) -> None:
    old = place.load(set_scene=SCENE)
    assert compare(old, place.load()).options == frozenset()
    changes = compare(old, place.load(set_scene=SCENE | {"limit_s": 5}))
    assert changes.lines == (f"{NAME}: what is in {place.file}",)
    assert commands(changes.loaded)["set_scene"].limit_s == 5


# --- what the model says


def text(pattern: str, **more: object) -> NamedCommand:
    return NamedCommand.model_validate(of({"pattern": pattern} | more))


@pytest.mark.parametrize(
    ("pattern", "value", "reason"),
    [
        ("[a-z ]+", "two words", ""),
        ("[a-z ]+", "two words\n", "has something in it that cannot be seen"),
        ("[a-z ]+", "Two", "is not by [a-z ]+"),
        ("a|b", "ab", "is not by a|b"),
        ("(?m)a$.*", "ab", "is not by (?m)a$.*"),
        (".*", "-rf", "begins with -"),
        ("(?s).*", "a\x1b[31m", "has something in it that cannot be seen"),
        ("(?s).*", "a\u202eb", "has something in it that cannot be seen"),
        ("(?s).*", "a\ud800", "has something in it that cannot be seen"),
        ("(?s).*", "a\0", "has something in it that cannot be seen"),
        (".*", "x" * 41, "is longer than 40 letters"),
        (".*", "", ""),
        (".*", 5, "is no text"),
        (".*", ["a"], "is no text"),
        (".*", None, "is missing"),
    ],
)
def test_a_text_is_what_the_file_foresees(pattern: str, value: object, reason: str) -> None:
    command = text(pattern)
    if not reason:
        assert command.argv({"it": value}) == ("/bin/echo", value)
        return
    with pytest.raises(ValueError, match=r"^it: it ") as caught:
        command.argv({"it": value})
    assert str(caught.value) == f"it: it {reason}"


def test_no_pattern_keeps_the_speaker_busy() -> None:
    command = text("(a|a?)+(a+)+b", longest=200)  # ages, for an engine that tries all ways
    with pytest.raises(ValueError, match="is not by"):
        command.argv({"it": "a" * 200})


@pytest.mark.parametrize("value", [True, "7", 7.5, 101, -11, float("nan"), float("inf"), None, []])
def test_a_number_is_a_whole_one_in_its_range(value: object) -> None:
    command = NamedCommand.model_validate(of({"whole_number": {"from": -10, "to": 100}}))
    with pytest.raises(ValueError, match=r"^it: it is (no whole number from -10 to 100|missing)$"):
        command.argv({"it": value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="name") as caught:
        NamedCommand.model_validate(SCENE).argv({"name": "party", "level": 101, "colour": "red"})
    assert str(caught.value) == (
        "colour: there is no such parameter; level: it is no whole number from -10 to 100; "
        "name: it is none of evening, film"
    )


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["name", "level", "note"]) | st.text(), _JSON, max_size=4))
def test_whatever_the_model_says_the_command_is_what_the_file_has(values: dict[str, Any]) -> None:
    made = SCENE | {
        "command": [*SCENE["command"], {"parameter": "note"}],
        "parameters": SCENE["parameters"] | {"note": {"pattern": "(?s).*", "default": ""}},
    }
    command = NamedCommand.model_validate(made)
    try:
        argv = command.argv(values)
    except ValueError:
        return
    program, name, option, level, note = argv
    assert (program, name in {"evening", "film"}, option) == ("/bin/echo", True, "--level")
    assert -10 <= int(level) <= 100
    assert note.isprintable()
    assert not note.startswith("-")
    assert len(note) <= 40
