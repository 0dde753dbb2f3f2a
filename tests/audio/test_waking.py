"""Silence before the first sound and after the last one, and the prebuffer that grows."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.conversation import events as ev
from speakerd.errors import DeviceError
from tests.audio.contract import reply
from tests.audio.player import Player, without_zeros

BYTES_PER_MS = 48
SOUND = without_zeros(reply(400))


def expecting(turn: int = 1, **options: float) -> Player:
    player = Player(**options)  # type: ignore[arg-type] # ms are whole, s need not be
    player.playlist.expect(turn)
    return player


def stream(player: Player, sound: bytes, turn: int = 1) -> None:
    """Feed it as a server does that is no faster than speech, 20 ms at a time."""
    for position in range(0, len(sound), 20 * BYTES_PER_MS):
        player.feed(sound[position : position + 20 * BYTES_PER_MS], turn)
        player.run(0.02)


def silence_before(player: Player, sound: bytes) -> float:
    """For how many ms the device had been running on silence when it came to ``sound``."""
    position = player.heard.find(sound)
    assert position >= 0
    began = max(begin for begin in player.script.began if begin <= position)
    assert not any(player.heard[began:position])
    return (position - began) / BYTES_PER_MS


# --- before the first sound


@pytest.mark.parametrize("wake_ms", [1, 50, 200, 1000, 3000])
def test_a_reply_that_comes_at_once_waits_for_the_device_and_no_longer(wake_ms: int) -> None:
    player = expecting(wake_ms=wake_ms)
    player.feed(SOUND)
    player.finish()
    player.run(5.0)
    assert silence_before(player, SOUND) == wake_ms
    assert player.said == ["Started", "Drained"]
    assert player.events.of(ev.PlaybackDrained)[0].duration_s == pytest.approx(0.4)
    assert player.playlist.underruns == 0


def test_the_device_wakes_while_the_prebuffer_fills() -> None:
    player = expecting(prebuffer_ms=200, wake_ms=300)
    stream(player, SOUND)
    player.run(1.0)
    assert player.script.began == [0]
    assert silence_before(player, SOUND) == 300
    assert player.events.all[0] == ev.PlaybackStarted(1)


def test_a_prebuffer_that_takes_longer_costs_little_more_than_without() -> None:
    player = expecting(prebuffer_ms=300, wake_ms=50)
    stream(player, SOUND)
    player.finish()
    player.run(1.0)
    assert 280 <= silence_before(player, SOUND) <= 280 + 60
    assert player.said == ["Started", "Drained"]


def test_started_is_said_when_the_first_sample_is_written() -> None:
    player = expecting(wake_ms=1000)
    player.feed(SOUND)
    player.run(0.75)  # the device has room for 200 ms
    assert player.said == []
    player.run(0.1)
    assert player.said == ["Started"]


def test_a_clip_finds_the_device_awake_too() -> None:
    player = Player(wake_ms=500)
    player.clip(SOUND)
    player.run(2.0)
    assert silence_before(player, SOUND) == 500
    assert player.said == ["NoticeEnded"]
    assert not player.out.running


def test_each_reply_after_a_stillness_wakes_the_device_anew() -> None:
    player = Player(wake_ms=250)
    for turn in (1, 2):
        sound = without_zeros(reply(200, turn))
        player.playlist.expect(turn)
        player.feed(sound, turn)
        player.finish(turn)
        player.run(3.0)
        assert silence_before(player, sound) == 250
    assert len(player.script.began) == 2


def test_a_gap_of_the_network_does_not_put_the_device_to_sleep() -> None:
    player = expecting(wake_ms=500)
    player.feed(SOUND)
    player.run(0.5 + 0.4 + 1.5)
    assert player.said == ["Started", "Starved"]
    more = without_zeros(reply(200, 2))
    fed_at = len(player.heard)
    player.feed(more)
    player.finish()
    player.run(1.0)
    assert player.script.began == [0]
    assert player.heard.find(more) - fed_at <= 100 * BYTES_PER_MS


def test_a_pause_of_the_model_does() -> None:
    player = expecting(wake_ms=500)
    player.feed(SOUND)
    player.run(0.5 + 0.4 + 2.5)
    assert not player.out.running
    more = without_zeros(reply(200, 2))
    player.feed(more)
    player.finish()
    player.run(2.0)
    assert silence_before(player, more) == 500


def test_after_an_underrun_the_rest_is_played_at_once() -> None:
    player = expecting(wake_ms=500)
    sound = without_zeros(reply(1000))
    player.feed(sound)
    player.run(0.9)
    player.clock.time += 0.5  # nobody refills the device
    player.poke()
    player.run(2.0)
    assert player.playlist.underruns == 1
    assert player.heard.replace(b"\0", b"") == sound
    rest = player.heard[player.script.began[1] :]
    assert rest[: 100 * BYTES_PER_MS] in sound


def test_an_underrun_of_the_silence_before_a_reply_that_has_not_come_is_none() -> None:
    player = expecting(wake_ms=1000)
    player.feed(SOUND[: 50 * BYTES_PER_MS])
    player.run(0.1)
    player.clock.time += 0.5
    player.feed(SOUND[50 * BYTES_PER_MS :])
    player.run(3.0)
    assert player.playlist.underruns == 0
    assert silence_before(player, SOUND) == 1000


def test_a_reply_that_is_dropped_while_the_device_wakes_is_never_heard() -> None:
    player = expecting(wake_ms=1000)
    player.feed(SOUND)
    player.run(0.9)
    player.drop()
    player.run(3.0)
    assert not any(player.heard)
    assert not player.out.running
    assert player.said == ["Started"]


def test_a_device_that_was_lost_in_mid_reply_is_woken_when_it_is_back() -> None:
    player = expecting(wake_ms=500)
    player.feed(without_zeros(reply(3000, 9)))
    player.run(1.0)
    player.playlist.give_up(player.out)
    player.out = player.open(24_000, player.out.written)
    player.playlist.expect(2)
    player.feed(SOUND, turn=2)
    player.finish(2)
    player.run(2.0)
    assert silence_before(player, SOUND) == 500


def test_a_device_that_has_to_be_opened_at_another_rate_is_not_woken_before() -> None:
    player = expecting(wake_ms=500)
    player.feed(SOUND, rate_hz=48_000)
    player.run(0.1)
    assert player.playlist.other_rate_hz(player.out) == 48_000
    assert player.script.began == []


@pytest.mark.parametrize("fault", ["hangs", "takes nothing"])
def test_a_device_that_does_not_wake_is_noticed(fault: str) -> None:
    player = expecting(prebuffer_ms=1000, wake_ms=1000)
    player.script.hanging = True
    if fault == "takes nothing":
        player.script.buffer_ms = 0
    player.feed(SOUND)  # less than the prebuffer
    with pytest.raises(DeviceError, match="is open and"):
        player.run(5.0)


# --- after the last sound


def test_the_device_is_kept_awake_for_so_long_and_wakes_the_thread_ten_times_a_second() -> None:
    player = expecting(keep_awake_s=60.0)
    player.feed(SOUND)
    player.finish()
    player.run(1.0)
    steps = player.steps
    player.run(58.0)
    assert player.out.running
    assert player.steps - steps <= 58 * 10.1
    player.run(3.0)
    assert not player.out.running
    assert player.script.began == [0]
    assert player.playlist.underruns == 0
    assert len(player.heard) / BYTES_PER_MS == pytest.approx(60_500, abs=300)
    assert player.heard.strip(b"\0") == SOUND
    steps = player.steps
    player.run(3600.0)
    assert player.steps == steps


def test_a_reply_to_a_device_that_is_awake_is_not_delayed() -> None:
    player = Player(wake_ms=1000, keep_awake_s=10.0)
    player.clip(SOUND)
    player.run(5.0)
    player.playlist.expect(1)  # at the press
    player.run(2.0)
    fed_at = len(player.heard)
    answer = without_zeros(reply(400, 2))
    player.feed(answer)
    player.finish()
    player.run(3.0)
    assert player.script.began == [0]
    assert (player.heard.find(answer) - fed_at) / BYTES_PER_MS <= 60


def test_a_clip_to_a_device_that_is_awake_waits_for_less_than_its_buffer() -> None:
    player = Player(keep_awake_s=10.0)
    player.clip(SOUND)
    player.run(5.0)
    fed_at = len(player.heard)
    clip = without_zeros(reply(100, 2))
    player.clip(clip)
    player.run(1.0)
    assert (player.heard.find(clip) - fed_at) / BYTES_PER_MS <= 200


def test_a_barge_in_is_as_immediate_and_the_device_runs_on() -> None:
    player = expecting(wake_ms=300, keep_awake_s=10.0)
    player.feed(without_zeros(reply(3000, 9)))
    player.run(1.0)
    heard = len(player.heard)
    player.drop()
    player.run(5.0)
    assert player.out.running
    assert player.script.drops == 1
    assert len(player.script.began) == 2
    assert not any(player.heard[heard:])
    player.run(6.0)
    assert not player.out.running


def test_what_is_played_soon_after_a_barge_in_waits_for_the_device_to_wake() -> None:
    player = expecting(wake_ms=300, keep_awake_s=10.0)
    player.feed(without_zeros(reply(3000, 9)))
    player.run(1.0)
    player.drop()
    player.run(0.1)
    player.clip(SOUND)
    player.run(2.0)
    assert 300 <= silence_before(player, SOUND) <= 320


def test_silence_is_not_stopped_by_a_press() -> None:
    player = expecting(keep_awake_s=10.0)
    player.feed(SOUND)
    player.finish()
    player.run(3.0)
    player.drop()
    player.playlist.expect(2)
    player.run(3.0)
    assert player.script.began == [0]
    assert player.script.drops == 0


def test_nothing_runs_before_anything_was_played() -> None:
    player = expecting(wake_ms=300, keep_awake_s=3600.0)
    player.drop()
    player.run(10.0)
    assert player.script.began == []


def test_a_device_that_was_lost_is_not_kept_awake_when_it_is_back() -> None:
    player = expecting(keep_awake_s=3600.0)
    player.feed(SOUND)
    player.run(1.0)
    player.playlist.give_up(player.out)
    player.out = player.open(24_000, player.out.written)
    player.poke()
    player.run(10.0)
    assert not player.out.running


def test_an_underrun_of_the_silence_is_none_and_the_device_is_kept_awake() -> None:
    player = expecting(keep_awake_s=60.0)
    player.feed(SOUND)
    player.finish()
    player.run(5.0)
    player.clock.time += 1.0
    player.poke()
    player.run(5.0)
    assert player.out.running
    assert player.playlist.underruns == 0
    assert player.said == ["Started", "Drained"]


def test_a_device_that_is_pulled_out_while_it_is_kept_awake_is_missed() -> None:
    player = expecting(keep_awake_s=3600.0)
    player.feed(SOUND)
    player.finish()
    player.run(5.0)
    player.script.failing = "No such device"
    with pytest.raises(DeviceError, match="No such device"):
        player.run(1.0)


def test_a_device_that_is_awake_is_opened_anew_for_another_rate() -> None:
    player = expecting(wake_ms=200, keep_awake_s=3600.0)
    player.feed(SOUND)
    player.finish()
    player.run(5.0)
    player.playlist.expect(2)
    other = without_zeros(reply(200, 2))
    player.feed(other, turn=2, rate_hz=48_000)
    player.run(0.2)
    assert player.playlist.other_rate_hz(player.out) == 48_000
    player.out = player.open(48_000, player.out.written)
    player.finish(2)
    player.run(1.0)
    assert other in player.heard
    assert silence_before(player, other) == 200 * 2  # ms of 24 kHz
    assert player.events.of(ev.PlaybackDrained)[-1].duration_s == pytest.approx(0.1)


def test_a_device_with_a_short_buffer_is_kept_awake_without_haste() -> None:
    player = expecting(keep_awake_s=60.0)
    player.script.buffer_ms = 60
    player.feed(SOUND)
    player.finish()
    player.run(1.0)
    steps = player.steps
    player.run(50.0)
    assert player.steps - steps <= 50 * 70
    assert player.script.began == [0]


# --- while the network is uneven


def test_after_a_gap_the_prebuffer_covers_the_next_one() -> None:
    player = Player(prebuffer_ms=100, prebuffer_max_ms=600)
    for turn in range(1, 5):
        sound = without_zeros(reply(600, turn))
        player.playlist.expect(turn)
        stream(player, sound[: 300 * BYTES_PER_MS], turn)
        player.run(0.25)  # the network stands still, and what it has kept comes at once
        player.feed(sound[300 * BYTES_PER_MS : 550 * BYTES_PER_MS], turn)
        stream(player, sound[550 * BYTES_PER_MS :], turn)
        player.finish(turn)
        player.run(3.0)
        assert (sound in player.heard) == (turn > 1)
    assert [event.turn for event in player.events.of(ev.PlaybackStarved)] == [1]


@pytest.mark.parametrize("dropped", [False, True])
def test_when_replies_come_in_time_again_the_prebuffer_shrinks(dropped: bool) -> None:
    player = Player(prebuffer_ms=100, prebuffer_max_ms=600)

    def starts_with(duration_ms: int, turn: int) -> bool:
        player.playlist.expect(turn)
        player.feed(reply(duration_ms), turn)
        player.run(0.01)
        return player.events.all[-1:] == [ev.PlaybackStarted(turn)]

    assert starts_with(100, 1)
    player.run(0.3)
    player.feed(SOUND)  # 200 ms late
    player.run(1.0)
    assert not starts_with(330, 2)  # of 340
    for turn in range(3, 8):
        assert starts_with(350, turn)
        if dropped:
            player.drop()
        player.run(1.0)
    assert starts_with(230, 8)  # of 220


def test_without_a_bound_the_prebuffer_stays_as_it_is() -> None:
    player = Player(prebuffer_ms=100)
    for turn in range(1, 4):
        player.playlist.expect(turn)
        player.feed(reply(100, turn), turn)
        player.run(0.2)
        player.feed(reply(100, turn), turn)
        player.run(0.001)
        assert player.said[-2:] == ["Starved", "Resumed"]
        player.finish(turn)
        player.run(1.0)


pieces = st.lists(st.tuples(st.integers(1, 6000), st.floats(0, 3)), min_size=1, max_size=8)


@given(
    pieces=pieces,
    prebuffer_ms=st.sampled_from([0, 100, 300]),
    wake_ms=st.sampled_from([0, 30, 450]),
    keep_awake_s=st.sampled_from([0.0, 1.0, math.pi]),
)
def test_however_it_comes_no_sample_is_clipped_or_lost(
    pieces: list[tuple[int, float]], prebuffer_ms: int, wake_ms: int, keep_awake_s: float
) -> None:
    player = Player(prebuffer_ms, prebuffer_max_ms=600, wake_ms=wake_ms, keep_awake_s=keep_awake_s)
    sent = b""
    for turn, (size_bytes, pause_s) in enumerate(pieces):
        piece = without_zeros(reply(200, turn))[:size_bytes]
        sent += piece[: len(piece) - len(piece) % 2]
        player.playlist.expect(turn)
        for position in range(0, size_bytes, 500):
            player.feed(piece[position : position + 500], turn)
            player.run(pause_s / 12)
        player.finish(turn)
        player.run(4.0 if turn % 2 else 0.7)
        player.run(0.3 if not wake_ms else 0.5)
    player.run(10.0)
    assert player.heard.replace(b"\0", b"") == sent
    assert player.playlist.underruns == 0
    assert not player.out.running
    for began in player.script.began:
        assert not any(player.heard[began : began + wake_ms * BYTES_PER_MS])
    drained_s = sum(event.duration_s for event in player.events.of(ev.PlaybackDrained))
    assert drained_s == pytest.approx(len(sent) / 48_000)
