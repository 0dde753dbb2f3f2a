"""What a text says of a token, and for how long a token is of use."""

from __future__ import annotations

import json

import pytest

from speakerd.live import tokens
from speakerd.live.tokens import Purse, Token, read

NAME = "auth_tokens/4969d96da97639001864b5be08549d58509411b9a099d4685b984dc45c0f2274"
NOW, TODAY = 5000.0, 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def text(**said: object) -> str:
    return json.dumps({"name": NAME} | said)


@pytest.mark.parametrize("written", [NAME, f"{NAME}\n", f"  {NAME}\r\n", text()])
def test_a_token_alone_is_as_the_server_makes_them(written: str) -> None:
    assert read(written, NOW, TODAY) == Token(NAME, 1, NOW + 60, NOW + 1800)


@pytest.mark.parametrize(
    "written",
    [
        text(
            uses=3, newSessionExpireTime="2027-01-15T08:05:00Z", expireTime="2027-01-15T09:00:00Z"
        ),
        text(
            uses=3,
            new_session_expire_time="2027-01-15T08:05:00+00:00",
            expire_time="2027-01-15T10:00:00+01:00",
        ),
    ],
)
def test_json_may_say_more(written: str) -> None:
    assert read(written, NOW, TODAY) == Token(NAME, 3, NOW + 300, NOW + 3600)


def test_json_may_call_it_a_token_and_say_that_it_is_for_any_number_of_uses() -> None:
    assert read(json.dumps({"token": NAME, "uses": 0}), NOW, TODAY).starts is None


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("", "nothing"),
        ("\n", "nothing"),
        ("AIzaSyTest-key_0123456789", "something that is no token"),
        ("auth_tokens/", "something that is no token"),
        (f"{NAME}\n{NAME}", "something that is no token"),
        (f"token: {NAME}", "something that is no token"),
        (f"{NAME}\0", "something that is no token"),
        (f"{NAME}ü", "something that is no token"),
        ("auth_tokens/" + "x" * 5000, "something that is no token"),
        (text(name=5), "something that is no token"),
        ("{}", "JSON without a token in it"),
        ('{"name": ', "JSON that cannot be read"),
        ('{"name": ' + "[" * 60_000, "JSON that cannot be read"),
        (text(uses="two"), "a token with uses that are no number"),
        (text(uses=-1), "a token with uses that are no number"),
        (text(expireTime="soon"), "a token with a time that cannot be read"),
        (text(expireTime=5), "a token with a time that cannot be read"),
    ],
)
def test_what_is_none_is_said_without_quoting_it(written: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as caught:
        read(written, NOW, TODAY)
    assert "AIza" not in str(caught.value)
    assert NAME not in str(caught.value)


def test_the_name_is_in_no_repr() -> None:
    assert NAME not in repr(read(NAME, NOW, TODAY))


def purse(**said: object) -> Purse:
    made = Purse()
    made.put(read(text(**said), NOW, TODAY))
    return made


def test_a_token_begins_one_conversation_and_resumes_it_until_it_is_about_to_expire() -> None:
    made = purse()
    assert made.take(NOW, resuming=False) is not None
    made.spend()
    assert made.take(NOW, resuming=False) is None
    last = NOW + tokens.LIFE_S - tokens.SPARE_S
    assert made.take(last, resuming=True) is not None
    assert made.take(last + 1, resuming=True) is None


def test_an_unused_token_begins_one_only_in_its_first_minute() -> None:
    made = purse()
    assert made.take(NOW + 50, resuming=False) is not None
    assert made.take(NOW + 51, resuming=False) is None
    assert made.take(NOW + 51, resuming=True) is not None


def test_a_token_for_any_number_of_uses_is_never_used_up() -> None:
    made = purse(uses=0)
    for _ in range(5):
        assert made.take(NOW, resuming=False) is not None
        made.spend()


def test_a_token_that_seems_to_be_over_is_not_taken_again() -> None:
    made = purse(expireTime="2027-01-15T07:00:00Z")
    assert made.take(NOW, resuming=True) is None


def test_an_empty_purse_has_nothing_to_spend() -> None:
    made = purse()
    made.drop()
    made.spend()
    assert made.take(NOW, resuming=True) is None
