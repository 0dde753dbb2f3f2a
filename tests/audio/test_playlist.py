"""What is played when, and what is said of it: without threads, at a clock that a test turns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speakerd.audio import playlist as playlist_module
from speakerd.audio.output import Output
from speakerd.audio.pcm import PLAYBACK_RATE_HZ, bytes_of_ms
from speakerd.conversation import events as ev
from speakerd.errors import DeviceError
from tests.audio.contract import reply
from tests.audio.player import Player, without_zeros
from tests.audio.scripted import ScriptedPlayback


@pytest.fixture
def player() -> Player:
    player = Player()
    player.playlist.expect(1)
    return player


def test_playback_waits_for_the_prebuffer(player: Player) -> None:
    player.feed(reply(99))
    player.run(1.0)
    assert player.said == []
    player.feed(reply(1))
    player.run(0.001)
    assert player.said == ["Started"]


def test_whoever_feeds_is_told_for_how_long_there_is_something_to_play(player: Player) -> None:
    assert player.feed(reply(99)) == 0.0  # held back
    assert player.feed(reply(1)) == 0.0  # not begun
    player.run(0.02)
    assert player.feed(reply(1000)) == pytest.approx(1.08, abs=0.005)
    player.run(0.8)
    assert player.feed(reply(100)) == pytest.approx(0.38, abs=0.005)
    assert player.feed(reply(100), turn=2) == 0.0
    player.run(1.0)
    assert player.said == ["Started", "Starved"]
    assert player.feed(reply(50)) == 0.0


def test_a_clip_outlives_the_reply_before_it(player: Player) -> None:
    clip = without_zeros(reply(100, 2))
    player.feed(reply(100))
    player.playlist.add_clip(clip)
    player.playlist.expect(2)
    player.poke()
    player.run(1.0)
    assert clip in player.heard
    assert player.said.count("NoticeEnded") == 1


def test_sound_that_comes_in_time_is_played_without_a_gap(player: Player) -> None:
    sound = reply(1000)
    player.feed(sound[:4800])
    for position in range(4800, len(sound), 1920):
        player.feed(sound[position : position + 1920])
        player.run(0.04)
    player.finish()
    player.run(1.0)
    assert sound in player.heard
    assert player.said == ["Started", "Drained"]


def test_a_short_prebuffer_puts_no_silence_into_a_reply_that_comes_in_time() -> None:
    player = Player(prebuffer_ms=40)
    player.playlist.expect(1)
    sound = without_zeros(reply(400))
    for position in range(0, len(sound), 1920):
        player.feed(sound[position : position + 1920])
        player.run(0.005)
    player.finish()
    player.run(1.0)
    assert sound in player.heard


def test_silence_follows_the_last_sample_and_then_the_device_stands_still(player: Player) -> None:
    player.feed(reply(200))
    player.finish()
    player.run(1.0)
    assert not player.out.running
    assert player.playlist.underruns == 0
    assert len(player.heard) >= 2 * 24 * (200 + 100)
    assert set(player.heard[9600:]) == {0}


def test_nothing_is_done_while_there_is_nothing_to_do(player: Player) -> None:
    player.feed(reply(200))
    player.finish()
    player.run(1.0)
    steps = player.steps
    player.run(3600.0)
    assert player.steps == steps


def test_playing_wakes_up_no_oftener_than_every_second_period(player: Player) -> None:
    player.feed(reply(10_000))
    player.run(9.0)
    assert player.steps < 9.0 / 0.04 + 10


def test_starved_is_said_when_silence_is_heard_and_not_before(player: Player) -> None:
    player.feed(reply(300))
    player.run(0.29)
    assert player.said == ["Started"]
    player.run(0.02)
    assert player.said == ["Started", "Starved"]
    player.run(5.0)
    assert player.said == ["Started", "Starved"]


def test_after_starving_the_prebuffer_is_filled_again(player: Player) -> None:
    player.feed(reply(100, 1))
    player.run(0.5)
    player.feed(reply(60, 2))
    player.run(0.5)
    assert player.said == ["Started", "Starved"]
    player.feed(reply(40, 3))
    player.run(0.01)
    assert player.said[2:] == ["Resumed"]
    assert player.playlist.underruns == 0


def test_after_starving_what_the_prebuffer_has_grown_by_is_for_the_next_reply() -> None:
    player = Player(prebuffer_ms=100, prebuffer_max_ms=600)
    player.playlist.expect(1)
    player.feed(reply(100, 1))
    player.run(0.4)  # 300 ms too late: the next prebuffer has 440 ms
    player.feed(reply(100, 2))
    player.run(0.01)
    assert player.said == ["Started", "Starved", "Resumed"]
    player.finish()
    player.run(0.5)
    player.playlist.expect(2)
    player.feed(reply(400, 3), turn=2)
    player.run(0.01)
    assert player.said[3:] == ["Drained"]
    player.feed(reply(40, 4), turn=2)
    player.run(0.01)
    assert player.said[4:] == ["Started"]


def test_what_comes_before_the_last_sample_is_heard_needs_no_prebuffer(player: Player) -> None:
    player.feed(reply(100, 1))
    player.run(0.08)
    player.feed(reply(40, 2))
    player.finish()
    player.run(0.5)
    assert player.said == ["Started", "Drained"]
    gap_bytes = player.heard.find(reply(40, 2)) - len(reply(100, 1))
    assert 0 <= gap_bytes <= 60 * 48


def test_a_late_thread_is_an_underrun_and_costs_no_sample(player: Player) -> None:
    sound = without_zeros(reply(1000))
    player.feed(sound)
    player.run(0.1)
    player.clock.time += 0.5  # nobody refills the device
    player.poke()
    player.run(1.5)
    assert player.events.of(ev.Xrun) == [ev.Xrun(ev.Device.SPEAKER)]
    assert player.playlist.underruns == 1
    assert player.heard.replace(b"\0", b"") == sound


def test_a_late_thread_behind_the_last_sample_is_no_underrun(player: Player) -> None:
    player.feed(reply(200))
    player.finish()
    player.run(0.15)
    player.clock.time += 5.0
    player.poke()
    player.run(1.0)
    assert player.said == ["Started", "Drained"]


def test_drained_is_not_said_before_the_clock_allows_it(player: Player) -> None:
    """A sound server takes a second at once and says that it has been played."""
    player.script.buffer_ms = 5000
    greedy = ScriptedPlayback(player.script)
    greedy.queued_frames = lambda: 0  # type: ignore[method-assign]  # such a server
    player.out = Output(greedy, PLAYBACK_RATE_HZ, player.clock)
    player.feed(reply(1000))
    player.finish()
    player.run(0.98)
    assert player.said == ["Started"]
    player.run(0.1)
    assert player.said == ["Started", "Drained"]


def test_a_second_finish_drains_again_without_sound(player: Player) -> None:
    player.feed(reply(200))
    player.finish()
    player.run(1.0)
    player.finish()
    player.run(0.1)
    durations_s = [event.duration_s for event in player.events.of(ev.PlaybackDrained)]
    assert durations_s == [pytest.approx(0.2)] * 2


def test_nobody_knows_how_long_a_reply_lasts_whose_rate_changes(player: Player) -> None:
    player.feed(reply(200))
    player.run(0.02)
    assert player.feed(reply(400)) > 0.5
    assert player.feed(reply(100), rate_hz=48_000) == 0.0


def test_another_rate_is_played_when_what_came_before_was_heard(player: Player) -> None:
    player.feed(reply(150, 1))
    player.feed(reply(150, 2), rate_hz=16_000)
    player.finish()
    player.run(0.1)
    assert player.playlist.other_rate_hz(player.out) is None
    player.run(1.0)
    assert player.playlist.other_rate_hz(player.out) == 16_000
    player.out = player.open(16_000, player.out.written)
    player.poke()
    player.run(1.0)
    assert player.said == ["Started", "Drained"]
    assert player.events.of(ev.PlaybackDrained)[0].duration_s == pytest.approx(0.15 + 0.225)


def test_expecting_another_turn_cuts_the_old_one_short(player: Player) -> None:
    player.feed(reply(1000, 1))
    player.run(0.1)
    assert player.playlist.expect(2)
    player.out.drop()  # as the speaker does
    player.feed(reply(150, 2), turn=2)
    player.finish(2)
    player.run(1.0)
    assert reply(150, 2) in player.heard
    assert [event.turn for event in player.events.of(ev.PlaybackDrained)] == [2]


def test_a_clip_waits_for_no_prebuffer_before_it(player: Player) -> None:
    player.feed(reply(50, 1))
    player.playlist.add_clip(reply(50, 2))
    player.poke()
    player.run(1.0)
    assert reply(50, 1) + reply(50, 2) in player.heard
    assert "NoticeEnded" in player.said


def test_more_than_the_queue_holds_is_refused(
    player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playlist_module, "MAX_QUEUED_BYTES", 10_000)
    player.feed(reply(200, 1))
    player.feed(reply(200, 2))
    player.finish()
    player.run(1.0)
    assert reply(200, 1) in player.heard
    assert reply(200, 2)[:100] not in player.heard
    assert player.playlist.discarded_bytes == 9600


@pytest.mark.parametrize("chunk_ms", [10, 40, 1000])
def test_however_finely_a_reply_comes_the_device_is_looked_after_ten_times_a_second(
    player: Player, chunk_ms: int
) -> None:
    sound = reply(5000, 1)
    chunk_bytes = bytes_of_ms(chunk_ms, PLAYBACK_RATE_HZ)
    for start in range(0, len(sound), chunk_bytes):
        player.feed(sound[start : start + chunk_bytes])
        player.run(0.8 * chunk_ms / 1000)  # a little faster than it plays, as servers do
    # Until the device is full for the first time it gets what comes as it comes.
    assert player.steps <= 0.8 * 5 * 10 + 30
    player.finish()
    player.run(6.0)
    assert player.heard.startswith(sound)
    assert player.playlist.underruns == 0


def test_giving_up_ends_the_turn_with_what_was_heard(player: Player) -> None:
    player.feed(reply(1000, 1))
    player.playlist.add_clip(reply(50, 2))
    player.poke()
    player.run(0.4)
    player.playlist.give_up(player.out)
    drained = player.events.of(ev.PlaybackDrained)
    assert [event.turn for event in drained] == [1]
    assert drained[0].duration_s == pytest.approx(0.4, abs=0.11)  # as of the last look
    assert len(player.events.of(ev.NoticeEnded)) == 1


def test_giving_up_says_nothing_of_a_reply_that_has_not_come(player: Player) -> None:
    player.playlist.give_up(None)
    assert player.said == []
    player.playlist.finish(1)
    player.playlist.give_up(None)
    assert player.said == ["Drained"]


@pytest.mark.parametrize("fault", ["hangs", "takes nothing"])
def test_a_device_that_does_not_play_is_noticed(player: Player, fault: str) -> None:
    player.script.hanging = True
    if fault == "takes nothing":
        player.script.buffer_ms = 0
    player.feed(reply(1000))
    with pytest.raises(DeviceError, match="is open and"):
        player.run(5.0)


def test_a_device_that_always_runs_dry_is_noticed(player: Player) -> None:
    player.script.dry = True
    player.feed(reply(1000))
    with pytest.raises(DeviceError, match="nothing but xruns for 2 s"):
        player.run(5.0)
    assert player.steps < 120  # it was not asked without pause
    assert len(player.events.of(ev.Xrun)) < 60


@pytest.mark.parametrize("buffer_ms", [1, 200, 5000])
def test_an_answer_is_not_poured_into_a_device_that_plays_none_of_it(
    player: Player, buffer_ms: int
) -> None:
    player.script.buffer_ms = buffer_ms
    player.script.swallows = math.inf
    player.feed(reply(60_000))
    began = player.clock()
    with pytest.raises(DeviceError, match="nothing but xruns for 2 s"):
        player.run(10.0)
    assert player.clock() - began < 3
    assert player.steps < 120
    assert len(player.events.of(ev.Xrun)) < 60
    assert player.out.written <= (3 + buffer_ms * 6 / 1000) * PLAYBACK_RATE_HZ


def test_a_few_underruns_in_a_row_are_no_loss(player: Player) -> None:
    sound = without_zeros(reply(2000))
    player.feed(sound)
    player.finish()
    player.script.swallows = 3
    player.run(4.0)
    assert player.playlist.underruns == 3
    rest = player.heard.replace(b"\0", b"")
    assert sound.endswith(rest)
    assert len(rest) == len(sound) - 3 * 200 * 48
    assert player.said[-1] == "Drained"


def test_underruns_that_are_far_apart_are_no_storm(player: Player) -> None:
    for _ in range(3):
        player.feed(reply(300))
        player.run(0.001)
        player.clock.time += 5  # nobody refills the device
        player.poke()
        player.run(3600.0)
    assert player.playlist.underruns == 3


def test_a_device_that_has_stood_by_may_need_a_moment_to_take_sound(player: Player) -> None:
    player.run(3600.0)
    player.script.buffer_ms = 0
    player.feed(reply(300))
    player.run(1.0)
    player.script.buffer_ms = 200
    player.run(1.0)
    assert reply(300) in player.heard


def test_what_a_device_refused_long_ago_is_not_held_against_it(player: Player) -> None:
    player.script.buffer_ms = 0
    player.feed(reply(300, 1))
    player.run(1.0)
    player.playlist.drop()
    player.out.drop()  # as the speaker does
    player.playlist.expect(2)
    player.run(3600.0)
    player.feed(reply(300, 2), turn=2)
    player.run(1.0)
    player.script.buffer_ms = 200
    player.run(1.0)
    assert reply(300, 2) in player.heard


def test_an_underrun_of_long_ago_is_not_held_against_a_steady_device(player: Player) -> None:
    player.feed(reply(150))
    player.run(0.001)
    player.clock.time += 0.5  # all was heard, and nobody has looked
    player.poke()
    player.run(3600.0)
    assert not player.out.played
    assert player.out.steady


def test_a_device_is_steady_until_its_trouble_began(player: Player) -> None:
    assert not player.out.steady  # it has just been opened
    player.run(1.5)
    assert player.out.steady
    assert not player.out.played
    player.script.swallows = math.inf
    player.feed(reply(60_000))
    with pytest.raises(DeviceError):
        player.run(10.0)
    assert player.out.steady
    assert not player.out.played
    player.out = player.open(PLAYBACK_RATE_HZ, player.out.written)
    player.poke()
    with pytest.raises(DeviceError):
        player.run(10.0)
    assert not player.out.steady


@pytest.mark.parametrize("rate_hz", [0, 1, -24_000, 7_999, 192_001, 1_000_000, 10**18])
def test_sound_at_an_absurd_rate_is_discarded(player: Player, rate_hz: int) -> None:
    player.feed(reply(200, 1), rate_hz=rate_hz)
    player.feed(reply(200, 2))
    player.finish()
    player.run(1.0)
    assert reply(200, 2) in player.heard
    assert player.playlist.discarded_bytes == 9600
    assert player.events.of(ev.PlaybackDrained)[0].duration_s == pytest.approx(0.2)


def test_crumbs_fill_the_queue_as_well(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playlist_module, "MAX_QUEUED_PIECES", 10)
    for _ in range(100):
        player.playlist.feed(1, b"\1\1", PLAYBACK_RATE_HZ)
    assert player.playlist.discarded_bytes == 180


def test_of_a_storm_of_clips_the_last_are_heard_and_all_are_reported(player: Player) -> None:
    clips = [without_zeros(reply(900, seed)) for seed in range(40)]
    player.playlist.add_clip(clips[0])
    player.poke()
    player.run(0.05)
    for clip in clips[1:]:
        player.playlist.add_clip(clip)
    player.run(30.0)
    # the one that had begun, and as many of the last as there is room for
    assert player.heard.replace(b"\0", b"") == b"".join([clips[0], *clips[-16:]])
    assert player.said.count("NoticeEnded") == 40


def test_a_clip_that_is_longer_than_the_room_for_clips_is_heard(player: Player) -> None:
    player.playlist.add_clip(without_zeros(reply(100, 1)))
    long_clip = without_zeros(reply(16_000, 2))
    player.playlist.add_clip(long_clip)
    player.poke()
    player.run(20.0)
    assert player.heard.replace(b"\0", b"") == long_clip


def test_clips_of_nothing_and_of_half_samples_do_no_harm(player: Player) -> None:
    player.run(60.0)
    clip = without_zeros(reply(100))
    for pcm in (b"", b"\1", clip + b"\1"):
        player.playlist.add_clip(pcm)
    player.poke()
    player.run(1.0)
    assert player.heard.replace(b"\0", b"") == clip
    assert player.said.count("NoticeEnded") == 3


pieces = st.lists(st.tuples(st.integers(1, 6000), st.floats(0, 0.3)), min_size=1, max_size=12)


@given(pieces=pieces, prebuffer_ms=st.sampled_from([0, 100, 300]))
def test_however_it_comes_every_sample_is_heard_once_and_in_order(
    pieces: list[tuple[int, float]], prebuffer_ms: int
) -> None:
    player = Player(prebuffer_ms)
    player.playlist.expect(1)
    sent = b""
    for number, (size_bytes, pause_s) in enumerate(pieces):
        piece = without_zeros(reply(200, number))[:size_bytes]
        sent += piece
        player.feed(piece)
        player.run(pause_s)
    player.finish()
    player.run(5.0)
    whole = sent[: len(sent) - len(sent) % 2]
    assert player.heard.replace(b"\0", b"") == whole
    assert player.said[-1] == "Drained"
    assert player.said.count("Started") == (1 if whole else 0)
    assert player.said.count("Starved") == player.said.count("Resumed") + (
        1 if "Starved" in player.said[-2:] else 0
    )
    assert player.events.of(ev.PlaybackDrained)[-1].duration_s == pytest.approx(len(whole) / 48_000)
