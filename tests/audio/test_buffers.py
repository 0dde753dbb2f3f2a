"""The utterance, its readers, and the ring before it."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio.buffers import MAX_PICTURES_BYTES, Block, PrerollRing, Utterance
from speakerd.audio.pcm import CAPTURE_RATE_HZ, SAMPLE_BYTES, seconds_of
from tests.audio.contract import words

if TYPE_CHECKING:
    from collections.abc import Callable

PERIOD_S = 0.02


async def settle() -> None:
    """Let the loop run all that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_utterance_is_read_at_any_position_any_number_of_times() -> None:
    utterance, sound = Utterance(1, 1000), words(20, 1)
    utterance.append(sound[:300])
    utterance.append(sound[300:])
    assert utterance.read(0, 10_000) == sound
    assert utterance.read(100, 50) == sound[100:150]
    assert utterance.read(0, 200) == sound[:200]
    assert utterance.read(len(sound), 10) == b""
    assert utterance.size_bytes == len(sound)
    assert utterance.duration_s == pytest.approx(0.02)


def test_the_newest_of_an_utterance_is_its_end() -> None:
    utterance, sound = Utterance(1, 1000), words(20, 1)
    assert utterance.newest(100) == b""
    utterance.append(sound)
    assert utterance.newest(100) == sound[-100:]
    assert utterance.newest(10_000) == sound


def test_beyond_its_bound_nothing_more_is_taken() -> None:
    utterance, sound = Utterance(1, 101), words(20, 1)
    utterance.append(sound[:60])
    utterance.append(sound[60:])
    utterance.append(sound)
    assert utterance.read(0, 10_000) == sound[:100]


def test_what_comes_when_it_is_complete_is_not_taken() -> None:
    utterance = Utterance(1, 1000)
    utterance.finish()
    utterance.append(b"\1\0")
    assert utterance.size_bytes == 0


async def test_waiting_ends_when_the_minimum_is_there_and_not_before() -> None:
    utterance = Utterance(1, 10_000)
    utterance.append(bytes(100))
    waiting = asyncio.create_task(utterance.wait_for(100, 50))
    await settle()
    utterance.append(bytes(48))
    await settle()
    assert not waiting.done()
    utterance.append(bytes(2))
    await asyncio.wait_for(waiting, 5)


async def test_what_is_there_is_not_waited_for() -> None:
    utterance = Utterance(1, 10_000)
    utterance.append(bytes(100))
    await asyncio.wait_for(utterance.wait_for(0, 100), 5)


@pytest.mark.parametrize("end", [Utterance.finish, Utterance.discard])
async def test_the_end_wakes_every_reader(end: Callable[[Utterance], None]) -> None:
    utterance = Utterance(1, 10_000)
    utterance.append(bytes(100))
    waiting = [asyncio.create_task(utterance.wait_for(100, size)) for size in (2, 1000)]
    await settle()
    end(utterance)
    await asyncio.wait_for(asyncio.gather(*waiting), 5)
    await asyncio.wait_for(utterance.wait_for(100, 2), 5)
    assert utterance.complete


async def test_discarded_sound_is_gone() -> None:
    utterance = Utterance(1, 10_000)
    utterance.append(bytes(100))
    utterance.discard()
    assert utterance.discarded
    assert utterance.read(0, 100) == b""


def test_pictures_are_there_from_where_they_came_and_any_number_of_times() -> None:
    utterance = Utterance(1, 10_000)
    utterance.show(b"at the press")
    utterance.append(bytes(1000))
    utterance.show(b"later")
    for _ in range(2):
        first, seen = utterance.pictures(0, 640)
        assert (first, seen) == ([b"at the press"], 1)
        assert utterance.pictures(seen, 640) == ([], 1)
        assert utterance.pictures(seen, 1280) == ([b"later"], 2)
        assert utterance.pictures(0, 1280) == ([b"at the press", b"later"], 2)


@pytest.mark.parametrize("end", [Utterance.finish, Utterance.discard])
def test_what_is_shown_when_it_is_over_is_dropped(end: Callable[[Utterance], None]) -> None:
    utterance = Utterance(1, 10_000)
    end(utterance)
    utterance.show(b"too late")
    assert utterance.pictures(0, 10_000) == ([], 0)


def test_discarded_pictures_are_gone() -> None:
    utterance = Utterance(1, 10_000)
    utterance.show(b"a face")
    utterance.discard()
    assert utterance.pictures(0, 10_000) == ([], 0)


def test_of_too_many_pictures_the_oldest_are_let_go_and_none_is_seen_twice() -> None:
    utterance = Utterance(1, 10_000)
    third = MAX_PICTURES_BYTES // 3
    pictures = [bytes([number]) * third for number in range(6)]
    for picture in pictures[:3]:
        utterance.show(picture)
    assert utterance.pictures(0, 0) == (pictures[:3], 3)
    assert utterance.pictures(1, 0) == (pictures[1:3], 3)
    for picture in pictures[3:5]:
        utterance.show(picture)
    assert utterance.pictures(0, 0) == (pictures[2:5], 5)  # who has seen none gets what is left
    assert utterance.pictures(3, 0) == (pictures[3:5], 5)
    utterance.show(pictures[5])
    assert utterance.pictures(5, 0) == (pictures[5:], 6)


async def test_a_thread_wakes_the_loop_once_and_only_for_what_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    wakes = 0
    wake = loop.call_soon_threadsafe

    def count(callback: Callable[[], object]) -> asyncio.Handle:
        nonlocal wakes
        wakes += 1
        return wake(callback)

    monkeypatch.setattr(loop, "call_soon_threadsafe", count)
    utterance = Utterance(1, 10_000)
    utterance.append(bytes(640))
    assert wakes == 0, "nobody waits"
    waiting = asyncio.create_task(utterance.wait_for(640, 1280))
    await settle()
    utterance.append(bytes(640))
    assert wakes == 0, "it is not there yet"
    for _ in range(3):
        utterance.append(bytes(640))
    assert wakes == 1, "one wake-up is on its way"
    await asyncio.wait_for(waiting, 5)
    utterance.append(bytes(640))
    assert wakes == 1, "nobody waits any more"


async def test_a_reader_that_is_cancelled_is_forgotten() -> None:
    utterance = Utterance(1, 10_000)
    waiting = asyncio.create_task(utterance.wait_for(0, 100))
    await settle()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not utterance._waiters


def test_a_loop_that_is_gone_does_not_disturb_the_capture() -> None:
    utterance = Utterance(1, 10_000)
    loop = asyncio.new_event_loop()

    async def begin_to_wait() -> asyncio.Task[None]:
        task = asyncio.ensure_future(utterance.wait_for(0, 100))
        await settle()
        return task

    waiting = loop.run_until_complete(begin_to_wait())
    loop.close()
    utterance.append(bytes(100))
    assert utterance.size_bytes == 100
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]  # it was abandoned on purpose


@given(frames=st.integers(1, 400), cut=st.floats(-0.01, 0.04), end=st.floats(0, 1e5))
def test_a_block_is_cut_into_two_halves_without_a_seam(frames: int, cut: float, end: float) -> None:
    block = Block(bytes(range(200)) * 4, end)
    block = Block(block.pcm[: frames * SAMPLE_BYTES], end)
    time = block.start + cut
    before, after = block.until(time), block.since(time)
    assert len(before) % SAMPLE_BYTES == len(after) % SAMPLE_BYTES == 0
    assert before + after == block.pcm


def blocks(sound: bytes, first_start: float) -> list[Block]:
    size = int(PERIOD_S * CAPTURE_RATE_HZ) * SAMPLE_BYTES
    ends = itertools.count(1)
    return [
        Block(sound[at : at + size], first_start + next(ends) * PERIOD_S)
        for at in range(0, len(sound), size)
    ]


def test_the_ring_gives_to_the_frame_what_was_captured_since() -> None:
    ring, sound = PrerollRing(1.0), words(400, 1)
    for block in blocks(sound, 100.0):
        ring.append(block)
    wanted = ring.take_since(100.1 + 3 / CAPTURE_RATE_HZ)
    assert wanted == sound[(1600 + 3) * SAMPLE_BYTES :]
    assert ring.take_since(0) == b""


def test_the_ring_is_bounded_by_size_too() -> None:
    """A device that gives more than real time has it all at the same time."""
    ring, sound = PrerollRing(0.1), words(2000, 1)
    for block in blocks(sound, 0.0):
        ring.append(block._replace(end=100.0))
    assert ring.take_since(0) == sound[-3200:]
    late = words(50, 2)
    ring.append(Block(late, 101.0))  # what was taken is not counted any longer
    assert ring.take_since(0) == late


def test_the_ring_forgets_what_is_older_than_it_is_long() -> None:
    ring, sound = PrerollRing(0.1), words(400, 1)
    for block in blocks(sound, 100.0):
        ring.append(block)
    kept = ring.take_since(0.0)
    assert sound.endswith(kept)
    assert 0.1 <= seconds_of(len(kept), CAPTURE_RATE_HZ) <= 0.1 + PERIOD_S


def test_the_newest_of_a_ring_is_its_end_and_stays() -> None:
    ring, sound = PrerollRing(1.0), words(60, 1)
    assert ring.newest(100) == b""
    for at in range(0, len(sound), 640):
        ring.append(Block(sound[at : at + 640], 0.02 + at / 32_000))
    assert ring.newest(100) == sound[-100:]
    assert ring.newest(1000) == sound[-1000:]
    assert ring.newest(10_000) == sound
    assert ring.take_since(0.0) == sound


def test_a_ring_of_no_length_keeps_nothing() -> None:
    ring = PrerollRing(0.0)
    ring.append(Block(words(20, 1), 100.0))
    assert ring.take_since(0.0) == b""


def test_sound_that_was_read_late_is_not_taken_for_newer_than_it_is() -> None:
    """A busy machine stamps a period 15 ms late; what came after it says so."""
    ring, sound = PrerollRing(1.0), words(60, 1)
    early, late, last = blocks(sound, 100.0)
    for block in (early, Block(late.pcm, late.end + 0.015), last):
        ring.append(block)
    assert ring.take_since(100.03) == sound[480 * SAMPLE_BYTES :]
