"""The kept conversation: what survives a restart, and what must not stop the daemon."""

from __future__ import annotations

import logging
import stat
from typing import TYPE_CHECKING

import pytest

from speakerd.conversation.events import SessionHandle
from speakerd.service.state import (
    CONTROLS_FILE_NAME,
    FILE_NAME,
    Controls,
    ControlsStore,
    HandleStore,
)

if TYPE_CHECKING:
    from pathlib import Path

HANDLE = SessionHandle("h-1", "gemini-3.8-live")
OTHER = SessionHandle("h-2 \u2603", "gemini-3.8-live")


def test_a_handle_survives_a_restart(tmp_path: Path) -> None:
    store = HandleStore(tmp_path)
    assert store.load() is None
    store.save(HANDLE)
    store.save(OTHER)
    assert HandleStore(tmp_path).load() == OTHER


def test_forgetting_survives_a_restart(tmp_path: Path) -> None:
    store = HandleStore(tmp_path)
    store.save(HANDLE)
    store.save(None)
    assert HandleStore(tmp_path).load() is None
    assert list(tmp_path.iterdir()) == []


def test_what_an_earlier_run_has_kept_can_be_forgotten_unread(tmp_path: Path) -> None:
    HandleStore(tmp_path).save(HANDLE)
    HandleStore(tmp_path).save(None)
    assert HandleStore(tmp_path).load() is None


def test_only_the_daemon_may_read_it_and_nothing_else_is_left(tmp_path: Path) -> None:
    HandleStore(tmp_path).save(HANDLE)
    (file,) = tmp_path.iterdir()
    assert file.name == FILE_NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_same_handle_is_not_written_again(tmp_path: Path) -> None:
    store = HandleStore(tmp_path)
    store.save(HANDLE)
    before = (tmp_path / FILE_NAME).stat().st_ino
    store.save(SessionHandle(HANDLE.value, HANDLE.model))
    assert (tmp_path / FILE_NAME).stat().st_ino == before


def test_a_write_that_breaks_off_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = HandleStore(tmp_path)
    store.save(HANDLE)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    store.save(OTHER)
    monkeypatch.undo()
    assert HandleStore(tmp_path).load() == HANDLE
    store.save(OTHER)
    assert HandleStore(tmp_path).load() == OTHER


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b'{"model": "m", "handle": ',
        b"[]",
        b"null",
        b'{"model": "m"}',
        b'{"model": "m", "handle": 7}',
        b'{"model": "", "handle": "h"}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_conversation_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    store = HandleStore(tmp_path)
    assert store.load() is None
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / FILE_NAME) in record.getMessage()
    store.save(HANDLE)
    assert HandleStore(tmp_path).load() == HANDLE


def test_a_file_that_cannot_be_read_is_ignored_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert HandleStore(tmp_path).load() is None
    assert "Is a directory" in caplog.text


def test_a_directory_that_is_not_there_is_complained_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = HandleStore(tmp_path / "none")
    assert store.load() is None
    store.save(HANDLE)
    store.save(OTHER)
    (record,) = caplog.records
    assert "cannot be written" in record.getMessage()
    assert "h-1" not in caplog.text
    (tmp_path / "none").mkdir()
    store.save(OTHER)
    assert HandleStore(tmp_path / "none").load() == OTHER


def test_without_a_directory_it_is_kept_in_memory() -> None:
    store = HandleStore(None)
    assert store.load() is None
    store.save(HANDLE)
    assert store.load() == HANDLE
    store.save(None)
    assert store.load() is None


# --- the controls


def test_the_volume_and_the_mute_survive_a_restart(tmp_path: Path) -> None:
    store = ControlsStore(tmp_path)
    assert store.load() == Controls(None, muted=False)
    store.saving(volume=35)()
    store.saving(muted=True)()
    assert ControlsStore(tmp_path).load() == Controls(35, muted=True)
    assert stat.S_IMODE((tmp_path / CONTROLS_FILE_NAME).stat().st_mode) == 0o600


def test_what_is_written_late_is_what_was_to_be_written(tmp_path: Path) -> None:
    store = ControlsStore(tmp_path)
    first, second = store.saving(volume=35), store.saving(muted=True)
    first()
    second()
    assert ControlsStore(tmp_path).load() == Controls(35, muted=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"volume": 101, "muted": false}',
        '{"volume": 5}',
        '{"volume": 5, "muted": 1}',
        '{"volume": true, "muted": true}',
    ],
)
def test_controls_that_cannot_be_read_begin_anew_and_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    (tmp_path / CONTROLS_FILE_NAME).write_text(text)
    store = ControlsStore(tmp_path)
    assert store.load() == Controls()
    assert CONTROLS_FILE_NAME in caplog.text
    store.saving(volume=20)()
    assert ControlsStore(tmp_path).load() == Controls(20)


def test_controls_that_cannot_be_written_are_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = ControlsStore(tmp_path / "gone")
    store.saving(volume=20)()
    store.saving(volume=25)()
    assert len(caplog.records) == 1


def test_without_a_directory_they_last_as_long_as_the_daemon() -> None:
    store = ControlsStore(None)
    store.saving(volume=20)()
    assert store.load() == Controls(20)
