"""Breaks messages: in their JSON tree, then in their bytes. Everything is drawn from one Random."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING

from tests.fuzz.seeds import MESSAGES, Json

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

#: One place in a tree: the object or list it is in, and its key or index there.
_Place = tuple[Json, Json]


def _nested(depth: int) -> Json:
    tree: Json = 1
    for level in range(depth):
        tree = [tree] if level % 2 else {"a": tree}
    return tree


#: In the place of anything.
_ODD: tuple[Json, ...] = (
    *(None, True, False, 0, -1, 1, 7, 2**31, 2**63, 10**30, -(10**400), 0.5, -0.0, 1e308),
    *(float("nan"), float("inf"), float("-inf"), "", " ", "0", "-1", "12", "NaN", "1e999", "true"),
    *("\0", "\n\x1b[2J", "\ud800", "\u202e\U0001f600", "x" * 9_000, "IN_PROGRESS", "NO_SUCH_VALUE"),
    *([], {}, [[]], [None], [{}], {"": None}, ["a", 1, None], {"text": {}}),
    *(_nested(30), _nested(300), ["y"] * 500, {str(n): n for n in range(300)}),
)
#: Raw JSON that the encoder would not write, in the place of anything.
_RAW = (
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
    b'{"a":' * 700 + b"1" + b"}" * 700,
    b"9" * 5_000,
    b"-" + b"9" * 4_000,
    b"1e400",
    b"-1e-400",
    b"Infinity",
    b"undefined",
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\\ud83d"',
    b'{"a":1,"a":2}',
    b"",
)
_RAW_MARK = "splice here"
#: In the place of the value of a certain key.
_SPECIAL: dict[str, tuple[Json, ...]] = {
    "data": (
        "A",
        "AB",
        "AAA",
        "AAAA",
        "AAAB/w==",
        "__-_",
        "====",
        "!" * 9,
        "A" * 4_001,
        "é",
        "AA=A",
    ),
    "mimeType": (
        *("audio/pcm;rate=0", "audio/pcm;rate=-1", "audio/pcm;rate=999999", "audio/pcm;rate=1"),
        *("audio/pcm;rate=" + "9" * 400, "audio/pcm;rate=24000.5", "audio/pcm;rate=8000"),
        *("audio/pcm;rate=192000", "AUDIO/PCM; RATE = 16000", "audio/l16;rate=٢٤٠٠٠", "audio/pcm;"),
        *("audio/pcmu", "audio/pcm;rate=²", "audio/pcm;rate=16000;rate=1", "image/png", "audio"),
    ),
    "timeLeft": (
        *("0s", "-1s", "nans", "infs", "1e9s", "9" * 400 + "s", "0." + "0" * 400 + "1s", "10", "s"),
        *(
            "315576000000s",
            "-315576000001s",
            "\u0661s",
            "1.s",
            ".5s",
            "50s\n",
            " 50s",
            "50 s",
            "0.000000001s",
        ),
    ),
    "newHandle": (
        "a\ud800",
        "h" * 8_192,
        "h" * 8_193,
        "h" * 200_000,
        "é" * 5_000,
        "\0",
        "a\nb",
        '"',
        " ",
    ),
    "text": ("a\udc00", "z" * 200_000, "a\nb\r\x07", "\U0001f600" * 3_000, "\u2028"),
    "id": ("i" * 70_000, "\0", "a\nb", 0),
    "name": ("n" * 70_000, "__import__", "a b", 0),
    "args": (None, [], "{}", {"a": "b" * 70_000}, {"a": _nested(200)}, {"n": float("nan")}),
    "ids": (["i" * 70_000], [1], [None], ["a"] * 5_000, "abc", [""]),
    "functionCalls": ([{"id": str(number), "name": "now"} for number in range(100)],),
    "status": ("\x1b[2J", "a\nb", 7),
    "resumable": ("true", "yes", 1, 2),
}
_COUNTS = (-1, -(2**31), 2**31, 2**63, 10**300, 1.5, 3.0, "12", "1e3", float("nan"), True, [1])

_UNKNOWN_KEYS = (
    "futureField",
    "",
    "serverContent",
    "server_content",
    "goAway",
    "text",
    "__class__",
)


def frame(random: Random) -> bytes:
    """One message as it comes from the socket; one in ten is as a healthy server sends it."""
    tree = copy.deepcopy(random.choice(MESSAGES))
    for _ in range(random.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        random.choice(_TREE_MUTATIONS)(tree, random)
    if random.random() < 0.1:
        tree = random.choice((_snake_cased, _listed, _bundled))(tree, random)
    data = _encoded(tree, random)
    for _ in range(random.choice((0, 0, 0, 0, 0, 1, 1, 3))):
        data = random.choice(_BYTE_MUTATIONS)(data, random)
    return data


# --- the tree


def _places(tree: Json) -> list[_Place]:
    """Every place in a tree, but for what is deep within the odd values."""
    found: list[_Place] = []
    level = [tree]
    for _ in range(8):
        here: list[_Place] = []
        for node in level:
            keys = node if isinstance(node, dict) else range(len(node))
            here += [(node, key) for key in keys]
        found += here
        level = [node[key] for node, key in here if isinstance(node[key], (dict, list))]
    return found


def _drop(tree: Json, random: Random) -> None:
    if places := _places(tree):
        node, key = random.choice(places)
        del node[key]


def _replace(tree: Json, random: Random) -> None:
    if places := _places(tree):
        node, key = random.choice(places)
        node[key] = copy.deepcopy(_odd_value(key, random))


def _replace_the_telling(tree: Json, random: Random) -> None:
    """Replace what is understood: most places in a tree are passed over."""
    if places := [place for place in _places(tree) if place[1] in _SPECIAL or _is_count(place[1])]:
        node, key = random.choice(places)
        node[key] = copy.deepcopy(_odd_value(key, random))


def _odd_value(key: Json, random: Random) -> Json:
    if random.random() < 0.7:
        if special := _SPECIAL.get(key):
            return random.choice(special)
        if _is_count(key):
            return random.choice(_COUNTS)
    return _RAW_MARK if random.random() < 0.05 else random.choice(_ODD)


def _is_count(key: Json) -> bool:
    return isinstance(key, str) and key.endswith("Count")


def _duplicate(tree: Json, random: Random) -> None:
    lists = [node[key] for node, key in _places(tree) if isinstance(node[key], list) and node[key]]
    if lists:
        items = random.choice(lists)
        items.extend(copy.deepcopy(random.choice(items)) for _ in range(random.choice((1, 2, 50))))


def _rename(tree: Json, random: Random) -> None:
    if places := [place for place in _places(tree) if isinstance(place[0], dict)]:
        node, key = random.choice(places)
        other = random.choice((*_UNKNOWN_KEYS, key.upper(), _snake(key), random.choice(places)[1]))
        node[other] = node.pop(key)


def _swap(tree: Json, random: Random) -> None:
    """Exchange two values, one of which may be within the other: then it is copied."""
    if places := _places(tree):
        (node, key), (other, other_key) = random.choice(places), random.choice(places)
        value = copy.deepcopy(node[key])
        node[key] = copy.deepcopy(other[other_key])
        other[other_key] = value


def _add(tree: Json, random: Random) -> None:
    objects = [tree, *(node[key] for node, key in _places(tree) if isinstance(node[key], dict))]
    source = random.choice(MESSAGES)
    key = random.choice((*_UNKNOWN_KEYS, *source))
    random.choice(objects)[key] = copy.deepcopy(source.get(key, random.choice(_ODD)))


def _merge(tree: Json, random: Random) -> None:
    """Bundle with another message, one within the other."""
    for key, value in copy.deepcopy(random.choice(MESSAGES)).items():
        mine = tree.get(key)
        if isinstance(mine, dict) and isinstance(value, dict):
            mine.update(value)
        else:
            tree[key] = value


_TREE_MUTATIONS: tuple[Callable[[Json, Random], None], ...] = (
    *(_replace_the_telling, _replace_the_telling, _replace, _replace),
    *(_drop, _duplicate, _rename, _swap, _add, _merge, _merge),
)


def _snake(key: str) -> str:
    return re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), key)


def _snake_cased(tree: Json, random: Random) -> Json:
    """All keys, or all but the first level's, as protobuf's other JSON form has them."""
    inner_only = random.random() < 0.5

    def renamed(node: Json, depth: int) -> Json:
        if isinstance(node, dict) and depth < 12:
            keep = inner_only and depth == 0
            return {
                key if keep else _snake(key): renamed(value, depth + 1)
                for key, value in node.items()
            }
        if isinstance(node, list) and depth < 12:
            return [renamed(item, depth + 1) for item in node]
        return node

    return renamed(tree, 0)


def _listed(tree: Json, random: Random) -> Json:
    return random.choice(
        ([tree], [tree, tree], [], "serverContent", ["toolCall"], 0, None, 1.5, True)
    )


def _bundled(tree: Json, random: Random) -> Json:
    """Many messages in one."""
    for _ in range(random.choice((1, 5))):
        _merge(tree, random)
    return tree


def _encoded(tree: Json, random: Random) -> bytes:
    text = json.dumps(tree, ensure_ascii=random.random() < 0.5)
    data = text.encode(errors="surrogatepass")
    return data.replace(json.dumps(_RAW_MARK).encode(), random.choice(_RAW))


# --- the bytes


def _flip(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 4))):
        if changed:
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    start, end = sorted(random.randrange(len(data) + 1) for _ in range(2))
    return random.choice((data[:end], data[start:], data[:start] + data[end:]))


def _splice(data: bytes, random: Random) -> bytes:
    at = random.randrange(len(data) + 1)
    pieces = (b"\0", b"\xff", b"\xc3\x28", b'"', b"}", b"{", b",", b"\\u", b"\n", b"\xef\xbb\xbf")
    return data[:at] + random.choice((*pieces, *_RAW)) + data[at:]


def _two(data: bytes, random: Random) -> bytes:
    other = json.dumps(random.choice(MESSAGES)).encode()
    return data + random.choice((b"", b"\n", b",")) + other


def _in_another_encoding(data: bytes, random: Random) -> bytes:
    encoding = random.choice(("utf-16", "utf-32-le", "utf-8-sig", "utf-7"))
    return data.decode(errors="replace").encode(encoding)


def _noise(_data: bytes, random: Random) -> bytes:
    return random.choice((b"", b"null", b"\x80abc", b"<html>", random.randbytes(50), b"NaN", b'"'))


_BYTE_MUTATIONS: tuple[Callable[[bytes, Random], bytes], ...] = (
    *(_flip, _flip, _cut, _splice, _two, _in_another_encoding, _noise),
)
