"""Controls as drivers have them, through real alsa-lib and a mixer made of a table.

Decibels, channels, twins, controls of no direction and locked ones: what PulseAudio's mixer lacks.
"""

from __future__ import annotations

import array
import contextlib
import errno
import math
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.alsa import open_playback
from speakerd.audio.controls import Control, Side
from speakerd.audio.mixer import LockedError, open_mixer, read_controls
from speakerd.audio.pcm import PLAYBACK_RATE_HZ
from speakerd.audio.scale import Scale
from speakerd.audio.volume import Volume
from speakerd.errors import DeviceError
from tests.audio.volume_contract import Told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speakerd.audio.mixer import Mixer

pytestmark = pytest.mark.alsa

MIXER = "table"
ROOT = Path(__file__).parents[2]
DIGITAL = Control("Digital")
VALUES = 17
SOURCE = Path(__file__).with_name("mixer_plugin.c")


class Table:
    """The file with the values: ``[errno, Digital left, right, switch left, right, ...]``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.write([0] * VALUES)

    def read(self) -> list[int]:
        return list(array.array("l", self.path.read_bytes()))

    def write(self, values: list[int]) -> None:
        self.path.write_bytes(array.array("l", values).tobytes())

    def __setitem__(self, index: int | slice, value: int | list[int]) -> None:
        values = self.read()
        values[index] = value  # type: ignore[index,assignment] # a list's own overloads
        with self.path.open("r+b") as file:  # in place: it is mapped
            file.write(array.array("l", values).tobytes())


@pytest.fixture(scope="session")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    library = tmp_path_factory.mktemp("plugin") / "libasound_module_ctl_table.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-DPIC", "-o", library, SOURCE, "-lasound"],
        check=True,
        timeout=60,
    )
    return library


@pytest.fixture
def table(plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Table:
    config = tmp_path / "asound.conf"
    state = tmp_path / "state"
    config.write_text(
        "</usr/share/alsa/alsa.conf>\n"
        f'ctl_type.table {{ lib "{plugin}" }}\n'
        f'ctl.{MIXER} {{ type table state "{state}" }}\n'
    )
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(config))
    return Table(state)


@pytest.fixture
def mixer(table: Table) -> Iterator[Mixer]:
    table[1:5] = [100, 171, 0, 1]
    with contextlib.closing(open_mixer(MIXER)) as mixer:
        yield mixer


def test_what_there_is(table: Table) -> None:
    table[1:VALUES] = [0, 207, 0, 1, 255, 255, 102, 102, 51, 0, 4, 0, 10, 0, 0, 0]
    assert sorted(read_controls(MIXER), key=str) == [
        Control("Digital", playback=Side(on=True, volume_percent=100)),
        Control("SoftCapture", capture=Side(volume_percent=20)),
        Control("SoftMaster", playback=Side(volume_percent=100)),
        Control("Softvol", playback=Side(volume_percent=40)),
        Control("Stuck"),
        Control("Twin", 0, playback=Side(volume_percent=40)),
        Control("Twin", 1, playback=Side(volume_percent=100)),
    ]


def test_the_loudest_channel_counts_and_all_are_set(table: Table, mixer: Mixer) -> None:
    element = mixer.element(DIGITAL)
    assert element.raw_range == (0, 207)
    assert (element.raw(), element.on()) == (171, True)
    element.set_raw(20)
    element.switch(on=False)
    assert table.read()[1:5] == [20, 20, 0, 0]
    assert (element.raw(), element.on()) == (20, False)
    element.switch(on=True)
    assert table.read()[1:5] == [20, 20, 1, 1]


def test_decibels_and_the_scale_on_them(mixer: Mixer) -> None:
    element = mixer.element(DIGITAL)
    assert [element.db_of(raw) for raw in (0, 1, 171, 207)] == [-math.inf, -103.0, -18.0, 0.0]
    assert Scale(*element.raw_range, element.db_of).percent_of(171) == 50
    assert mixer.element(Control("SoftMaster")).db_of(0) == -51.0
    for name in ("Softvol", "Twin"):
        assert mixer.element(Control(name)).db_of(1) is None


@pytest.mark.parametrize("number", [errno.EPERM, errno.EBUSY, errno.EACCES])
def test_a_locked_control(table: Table, mixer: Mixer, number: int) -> None:
    table[0] = number
    element = mixer.element(DIGITAL)
    locked = r"^the mixer table: Digital cannot be set: "
    with pytest.raises(LockedError, match=locked):
        element.set_raw(20)
    with pytest.raises(LockedError, match=locked):
        element.switch(on=False)
    assert (element.raw(), element.on()) == (171, True)  # and not what was not set


def test_twins_are_apart(table: Table, mixer: Mixer) -> None:
    mixer.element(Control("Twin", 1)).set_raw(7)
    assert table.read()[11:15] == [0, 0, 7, 0]


@pytest.mark.parametrize(("name", "opens"), [("SoftMaster", True), ("Softmonster", False)])
def test_the_recipe_for_softvol_opens_with_its_control(
    table: Table, name: str, opens: bool
) -> None:
    """Its control is there already, as at every start but the first: to make one takes a card."""
    page = (ROOT / "docs/volume.md").read_text(encoding="utf-8")
    [recipe] = re.findall(r"```\n(pcm\.[^`]*type softvol[^`]*)```", page)
    recipe = recipe.replace("card sndrpihifiberry", "card 0")
    recipe = recipe.replace('"dmix:CARD=sndrpihifiberry,DEV=0"', '"null"')
    assert recipe.count('"null"') == recipe.count("card 0") == recipe.count("SoftMaster") == 1
    hw = f'{{ @args [ CARD ] @args.CARD {{ type string }} type table state "{table.path}" }}'
    config = Path(os.environ["ALSA_CONFIG_PATH"])
    with config.open("a", encoding="utf-8") as file:
        file.write(f"ctl.!hw {hw}\n{recipe.replace('SoftMaster', name)}")
    with contextlib.nullcontext() if opens else pytest.raises(DeviceError, match=r"^speaker: "):
        open_playback("speaker", PLAYBACK_RATE_HZ).close()


def test_the_volume_of_a_dac(table: Table) -> None:
    table[1:5] = [207, 207, 0, 0]
    told = Told()
    volume = Volume(MIXER, listener=told, wanted=50)
    volume.start()
    try:
        assert told.next(2) == ["ready", (50, False)]
        assert table.read()[1:5] == [171, 171, 1, 1]
        table[0] = errno.EPERM
        volume.set(20)
        assert told.next(2) == [
            "refused: the mixer table: Digital cannot be set: Operation not permitted",
            (50, False),
        ]
        table[0] = 0
        volume.set(0)
        assert told.next() == [(0, True)]
        assert table.read()[1:5] == [0, 0, 0, 0]
    finally:
        volume.stop()
