"""The env file's syntax is systemd's; what systemd would skip is an error with a line number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.config.envfile import EnvFileError, parse


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("\n \t\n# NAME=1\n  ; NAME=2\n", {}),
        ("A=1", {"A": "1"}),
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("  A  =  1 2  \n", {"A": "1 2"}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("A=1\nA=2", {"A": "2"}),
        ("A=b # no comment", {"A": "b # no comment"}),
        ("A=b=c", {"A": "b=c"}),
        ("A=$HOME ${B}", {"A": "$HOME ${B}"}),
        ("A='it is\nverbatim \\ \"'", {"A": 'it is\nverbatim \\ "'}),
        ('A="two\nlines"', {"A": "two\nlines"}),
        (r'A="\" \\ \$ \` \n"', {"A": '" \\ $ ` \\n'}),
        ('A="a\\\nb"', {"A": "ab"}),
        ("A=\"a\"'b' c", {"A": "abc"}),
        ('A=it"s', {"A": 'it"s'}),
        ("A=a\\\nb", {"A": "ab"}),
        ("A=a \\\n  b", {"A": "a   b"}),
        (r"A=\"a\ ", {"A": '"a '}),
        ("A=a\\", {"A": "a"}),
        ("# goes on \\\nA=1", {"A": "1"}),
    ],
)
def test_what_systemd_reads_is_read_alike(text: str, values: dict[str, str]) -> None:
    assert parse(text) == values


@pytest.mark.parametrize(
    ("text", "commented"),
    [
        ("A=b # comment", True),
        ("A=b\t#comment", True),
        ('A="b" # comment', True),
        ("A= # comment", True),
        ("A=b#c", False),
        (r"A=b \# c", False),
        ("A='b # c'", False),
        ("A=b # comment\nA=b", False),
        ("A=b ; c", False),
    ],
)
def test_a_value_that_ends_with_a_comment_is_told_from_one_that_does_not(
    text: str, commented: bool
) -> None:
    assert parse(text).commented == ({"A"} if commented else set())


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("AIzaSyKey", 1, "no '='"),
        ("A=1\n\nB", 3, "no '='"),
        ("export A=1", 1, "leave out 'export'"),
        ("=1", 1, "a name"),
        ("1A=1", 1, "a name"),
        ("\ufeffA=1", 1, "a name"),
        ('A=1\nB="2\nC=3', 2, "never closed"),
        ("A='x", 1, "never closed"),
        ('A="a" "b', 1, "never closed"),
        ("A=\0", 1, "NUL"),
    ],
)
def test_what_cannot_be_read_is_named_by_line_and_not_quoted(
    text: str, line: int, reason: str
) -> None:
    with pytest.raises(EnvFileError, match=re.escape(reason)) as caught:
        parse(text)
    assert caught.value.line == line
    assert "AIza" not in str(caught.value)


@given(st.text(st.characters(exclude_characters="\0\r", codec="utf-8")))
def test_quotes_carry_any_text(value: str) -> None:
    escaped = re.sub(r'(["\\$`])', r"\\\1", value)
    assert parse(f'A="{escaped}"\nB=1') == {"A": value, "B": "1"}


@given(st.text(st.sampled_from("A=\"'\\ \t\n#;x")))
def test_any_text_is_read_or_refused_with_a_line_it_has(text: str) -> None:
    try:
        names, line = list(parse(text)), 1
    except EnvFileError as error:
        names, line = [], error.line
    assert all(name.isidentifier() for name in names)
    assert 1 <= line <= text.count("\n") + 1
