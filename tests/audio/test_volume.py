"""The volume when mixers are missing, locked, unplugged, late or hang."""

from __future__ import annotations

import itertools
import threading
import time
from typing import TYPE_CHECKING

import pytest

from speakerd.audio.volume import Volume, VolumeState
from tests.audio.contract import wait_until
from tests.audio.volume_contract import Told
from tests.fakes.mixer import FakeCard, FakeControl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Volume]

GONE = "lost: the mixer fake: it is gone"
MISSING = "lost: the mixer fake: No such device"
NO_CONTROL = (
    "lost: the mixer fake: it has no playback volume; docs/volume.md has a way to give it one"
)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def card() -> FakeCard:
    return FakeCard(FakeControl(switches=[True, True]))


@pytest.fixture
def make(card: FakeCard, told: Told) -> Iterator[Make]:
    made: list[Volume] = []

    def make_volume(
        control: str = "",
        wanted: int | None = None,
        highest_percent: int = 100,
        retry_s: float = 0.01,
    ) -> Volume:
        volume = Volume(
            "fake",
            control,
            listener=told,
            wanted=wanted,
            highest_percent=highest_percent,
            open_mixer=card.open,
            retry_delays_s=lambda: itertools.repeat(retry_s),
        )
        made.append(volume)
        volume.start()
        return volume

    yield make_volume
    for volume in made:
        began = time.monotonic()
        volume.stop()
        assert time.monotonic() - began < 1.0


# --- set and step


def test_without_a_wish_the_mixer_is_left_as_it_is(make: Make, told: Told, card: FakeCard) -> None:
    card.turn(90)
    volume = make(highest_percent=70)
    assert told.next(2) == ["ready", (90, False)]
    assert volume.state == VolumeState(90, muted=False)
    assert card.log == []


def test_the_wish_of_the_start_is_set_within_the_limit(
    make: Make, told: Told, card: FakeCard
) -> None:
    card.turn(90, on=False)
    make(wanted=100, highest_percent=70)
    assert told.next(2) == ["ready", (70, False)]
    assert card.log == ["raw 70", "on True"]


def test_a_wish_before_the_start_counts(card: FakeCard, told: Told) -> None:
    volume = Volume("fake", listener=told, wanted=10, open_mixer=card.open)
    volume.set(33)
    volume.start()
    assert told.next(2) == ["ready", (33, False)]
    volume.stop()


def test_a_volume_that_was_off_stays_off_until_it_is_turned(
    make: Make, told: Told, card: FakeCard
) -> None:
    volume = make(retry_s=3600.0)
    told.next(2)
    volume.set(40, muted=True)
    assert told.next() == [(40, True)]
    assert card.log == ["on False", "raw 40"]
    volume.step(5)
    assert told.next() == [(45, False)]


def test_a_step_starts_from_what_others_have_set(make: Make, told: Told, card: FakeCard) -> None:
    volume = make()
    told.next(2)
    volume.set(40)
    assert told.next() == [(40, False)]
    card.turn(80)
    volume.step(-5)
    wait_until(lambda: card.controls[0].volumes == [75, 75])


def test_all_channels_are_set_alike(make: Make, told: Told, card: FakeCard) -> None:
    card.controls[0].volumes = [20, 60]
    volume = make()
    assert told.next(2) == ["ready", (60, False)]
    volume.step(5)
    assert told.next() == [(65, False)]
    assert card.controls[0].volumes == [65, 65]


@pytest.mark.parametrize(("step", "percent"), [(5, 55), (-5, 45)])
def test_a_step_switches_a_muted_card_on(
    make: Make, told: Told, card: FakeCard, step: int, percent: int
) -> None:
    card.turn(on=False)
    volume = make()
    assert told.next(2) == ["ready", (50, True)]
    volume.step(step)
    assert told.next() == [(percent, False)]
    assert card.log == [f"raw {percent}", "on True"]  # not on while it is still too loud


def test_zero_mutes_first_and_then_turns_down(make: Make, told: Told, card: FakeCard) -> None:
    volume = make()
    told.next(2)
    volume.set(0)
    assert told.next() == [(0, True)]
    assert card.log == ["on False", "raw 0"]


def test_zero_of_a_control_without_a_switch(make: Make, told: Told, card: FakeCard) -> None:
    card.controls[0].switches = None
    volume = make()
    told.next(2)
    volume.set(0)
    assert told.next() == [(0, False)]
    volume.step(1)
    assert told.next() == [(1, False)]


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_coarse_control_is_climbed_step_by_step(
    make: Make, told: Told, card: FakeCard, steps: int
) -> None:
    card.controls[0] = FakeControl(raw_range=(0, steps), volumes=[0])
    volume = make()
    assert told.next(2) == ["ready", (0, False)]
    for raw in range(1, steps + 1):
        volume.step(1)
        told.next()
        assert card.controls[0].volumes == [raw]
    volume.step(1)
    assert told.next() == [(100, False)]


def test_orders_that_come_at_once_are_added_up(make: Make, told: Told, card: FakeCard) -> None:
    card.hanging.clear()
    volume = make()
    wait_until(lambda: card.opened == 1)
    volume.set(20)
    for _ in range(6):
        volume.step(5)
    volume.step(-10)
    card.hanging.set()
    assert told.next(2) == ["ready", (40, False)]
    assert card.log[:1] == ["raw 40"]


def test_what_others_do_is_told_once(make: Make, told: Told, card: FakeCard) -> None:
    make()
    told.next(2)
    card.turn(70)
    assert told.next() == [(70, False)]
    for _ in range(5):
        seen = card.updates
        card.notify()  # of something else in this mixer
        wait_until(lambda seen=seen: card.updates > seen)  # type: ignore[misc] # mypy#12557
    assert told.nothing_more()


# --- controls that are not there, or not ours


def test_a_control_by_name(make: Make, told: Told, card: FakeCard) -> None:
    card.controls.append(FakeControl("PCM", volumes=[10], index=1))
    volume = make("PCM,1")
    assert told.next(2) == ["ready", (10, False)]
    volume.set(20)
    assert told.next() == [(20, False)]
    assert [each.volumes for each in card.controls] == [[50, 50], [20]]


def test_a_name_that_is_not_there_is_told_once(make: Make, told: Told, card: FakeCard) -> None:
    volume = make("Digital")
    reason = (
        "lost: the mixer fake: there is no playback volume Digital; "
        "SPEAKERD_MIXER_CONTROL may be PCM"
    )
    assert told.next() == [reason]
    for _ in range(3):
        opened = card.opened
        volume.look_again()
        wait_until(lambda opened=opened: card.opened > opened)  # type: ignore[misc] # mypy#12557
    assert told.nothing_more()
    assert volume.state is None


def test_a_control_that_comes_later_is_found_and_set(
    make: Make, told: Told, card: FakeCard
) -> None:
    """As softvol's does, at the first sound. Until then nothing is opened again and again."""
    late = card.controls.pop()
    make(wanted=30)
    assert told.next() == [NO_CONTROL]
    card.notify()
    wait_until(lambda: card.updates == 1)
    assert card.opened == 1
    card.add(late)
    assert told.next(2) == ["ready", (30, False)]
    assert card.opened == 2  # for decibels that came after the control


def test_a_control_that_comes_without_a_word_is_found_on_looking_again(
    make: Make, told: Told, card: FakeCard
) -> None:
    late = card.controls.pop()
    volume = make()
    assert told.next() == [NO_CONTROL]
    card.controls.append(late)
    volume.look_again()
    assert told.next(2) == ["ready", (50, False)]
    opened = card.opened
    volume.look_again()
    wait_until(lambda: card.opened > opened)
    volume.set(51)  # nothing is told twice because of it
    assert told.next() == [(51, False)]


def test_a_control_that_is_removed(make: Make, told: Told, card: FakeCard) -> None:
    volume = make()
    told.next(2)
    removed = card.controls.pop()
    card.notify()
    assert told.next(2) == ["lost: the mixer fake: PCM is gone", NO_CONTROL]
    volume.set(55)
    card.add(removed)
    assert told.next(2) == ["ready", (55, False)]


def test_a_better_control_that_comes_gets_the_volume_there_is(
    make: Make, told: Told, card: FakeCard
) -> None:
    """As softvol's does, where one output was turned until then."""
    card.controls = [FakeControl("Speaker", volumes=[90, 90])]
    volume = make(wanted=40)
    assert told.next(2) == ["ready", (40, False)]
    card.controls.append(FakeControl("SoftMaster", volumes=[100, 100]))
    volume.look_again()
    assert told.next(2) == ["ready", (40, False)]
    assert [each.volumes for each in card.controls] == [[90, 90], [40, 40]]
    assert card.log == ["raw 40", "raw 40", "raw 90"]  # it is never louder in between
    card.controls.pop()
    volume.look_again()
    (found,) = told.next()
    if found == "lost: the mixer fake: SoftMaster is gone":  # its thread was quicker than the look
        (found,) = told.next()
    assert [found, *told.next()] == ["ready", (40, False)]
    assert card.controls[0].volumes == [40, 40]


def test_a_better_control_that_comes_locked_is_waited_for(
    make: Make, told: Told, card: FakeCard
) -> None:
    card.controls = [FakeControl("Speaker", volumes=[90, 90])]
    volume = make(wanted=40)
    assert told.next(2) == ["ready", (40, False)]
    better = FakeControl("SoftMaster", volumes=[100, 100], locked=LOCKED)
    card.controls.append(better)
    volume.look_again()
    assert told.next() == [f"lost: the mixer fake: {LOCKED}"]
    assert card.controls[0].volumes == [40, 40]
    better.locked = None
    assert told.next(2) == ["ready", (40, False)]
    assert [each.volumes for each in card.controls] == [[90, 90], [40, 40]]


def test_a_control_that_another_program_has_locked(make: Make, told: Told, card: FakeCard) -> None:
    volume = make()
    told.next(2)
    card.controls[0].locked = "Operation not permitted"
    volume.set(60)
    refused = "refused: the mixer fake: Operation not permitted"
    assert told.next(2) == [refused, (50, False)]
    volume.step(5)
    assert told.next() == [(50, False)]  # the reason is known
    card.turn(70)
    assert told.next() == [(70, False)]
    card.controls[0].locked = None
    volume.step(5)
    assert told.next() == [(75, False)]
    card.controls[0].locked = "Operation not permitted"
    volume.set(60)
    assert told.next(2) == [refused, (75, False)]


LOCKED = "Operation not permitted"


def test_a_control_that_is_locked_at_the_start_gets_the_volume_when_it_can(
    make: Make, told: Told, card: FakeCard
) -> None:
    """What it has until then nobody has wished for: it is not told, and so not remembered."""
    card.turn(100)
    card.controls[0].locked = LOCKED
    volume = make(wanted=40)
    assert told.next() == [f"lost: the mixer fake: {LOCKED}"]
    wait_until(lambda: card.opened > 3)
    assert (told.nothing_more(), volume.state) == (True, None)
    card.controls[0].locked = None
    assert told.next(2) == ["ready", (40, False)]
    assert card.controls[0].volumes == [40, 40]


@pytest.mark.parametrize("order", [Volume.look_again, lambda volume: volume.set(40)])
def test_a_locked_control_is_tried_at_once_when_somebody_has_something_for_it(
    make: Make, told: Told, card: FakeCard, order: Callable[[Volume], None]
) -> None:
    card.turn(100)
    card.controls[0].locked = LOCKED
    volume = make(wanted=40, retry_s=3600.0)
    assert told.next() == [f"lost: the mixer fake: {LOCKED}"]
    card.controls[0].locked = None
    order(volume)
    assert told.next(2) == ["ready", (40, False)]


def test_a_control_that_comes_back_locked_gets_the_volume_it_had(
    make: Make, told: Told, card: FakeCard
) -> None:
    make(wanted=40)
    told.next(2)
    card.unplug()
    assert told.next(2) == [GONE, MISSING]
    card.turn(100)
    card.controls[0].locked = LOCKED
    card.plug()
    assert told.next() == [f"lost: the mixer fake: {LOCKED}"]
    card.controls[0].locked = None
    assert told.next(2) == ["ready", (40, False)]


def test_a_step_of_a_locked_volume_is_not_made_later(
    make: Make, told: Told, card: FakeCard
) -> None:
    card.turn(100, on=False)
    card.controls[0].locked = LOCKED
    volume = make(wanted=40)
    assert told.next() == [f"lost: the mixer fake: {LOCKED}"]
    volume.step(-5)
    opened = card.opened
    wait_until(lambda: card.opened > opened + 2)
    card.controls[0].locked = None
    assert told.next(2) == ["ready", (40, False)]


# --- cards that come and go


def test_a_mixer_that_is_missing_is_told_once_and_tried_again(
    make: Make, told: Told, card: FakeCard
) -> None:
    card.unplug()
    volume = make(wanted=20)
    assert told.next() == [MISSING]
    wait_until(lambda: card.opened > 3)
    card.missing = "Permission denied"
    assert told.next() == ["lost: the mixer fake: Permission denied"]
    assert volume.state is None
    card.plug()
    assert told.next(2) == ["ready", (20, False)]


def test_the_volume_is_as_it_was_when_the_card_comes_back(
    make: Make, told: Told, card: FakeCard
) -> None:
    make(wanted=20)
    told.next(2)
    card.turn(35)  # what somebody has set last counts, whoever it was
    assert told.next() == [(35, False)]
    card.unplug()
    assert told.next(2) == [GONE, MISSING]
    card.turn(100)  # as drivers begin
    card.plug()
    assert told.next(2) == ["ready", (35, False)]
    assert card.controls[0].volumes == [35, 35]


def test_what_was_muted_comes_back_muted(make: Make, told: Told, card: FakeCard) -> None:
    make()
    told.next(2)
    card.turn(35, on=False)
    assert told.next() == [(35, True)]
    card.unplug()
    assert told.next(2) == [GONE, MISSING]
    card.turn(100, on=True)
    card.plug()
    assert told.next(2) == ["ready", (35, True)]
    assert card.log == ["on False", "raw 35"]


@pytest.mark.parametrize("percent", [70, 0])
def test_what_is_wished_for_meanwhile_is_set_when_the_card_comes_back(
    make: Make, told: Told, card: FakeCard, percent: int
) -> None:
    volume = make(wanted=35)
    told.next(2)
    card.unplug()
    assert told.next(2) == [GONE, MISSING]
    volume.set(percent)
    card.turn(100)
    card.plug()
    assert told.next(2) == ["ready", (percent, percent == 0)]


def test_who_turns_up_what_is_missing_is_not_deafened_when_it_comes_back(
    make: Make, told: Told, card: FakeCard
) -> None:
    volume = make(wanted=35)
    told.next(2)
    card.turn(on=False)
    assert told.next() == [(35, True)]
    card.unplug()
    assert told.next(2) == [GONE, MISSING]
    for _ in range(20):
        volume.step(5)
    opened = card.opened
    wait_until(lambda: card.opened > opened + 2)
    card.plug()
    assert told.next(2) == ["ready", (35, True)]


def test_who_turns_up_what_has_no_control_is_not_deafened_by_one(
    make: Make, told: Told, card: FakeCard
) -> None:
    late = card.controls.pop()
    volume = make(wanted=35)
    assert told.next() == [NO_CONTROL]
    volume.step(50)
    for _ in range(2):  # once it has looked again, it has looked
        seen = card.updates
        card.notify()
        wait_until(lambda seen=seen: card.updates > seen)  # type: ignore[misc] # mypy#12557
    card.add(late)
    assert told.next(2) == ["ready", (35, False)]


def test_a_step_brings_a_mixer_back_and_counts(make: Make, told: Told, card: FakeCard) -> None:
    volume = make(wanted=35, retry_s=3600.0)
    told.next(2)
    card.unplug()
    assert told.next() == [GONE]
    card.plug()
    volume.step(5)
    assert told.next(2) == ["ready", (40, False)]


def test_a_card_that_goes_while_it_is_set(make: Make, told: Told, card: FakeCard) -> None:
    volume = make()
    told.next(2)
    card.failing = OSError("nobody expects it")
    volume.set(70)
    assert told.next() == ["lost: the mixer fake: OSError('nobody expects it')"]
    card.failing = None
    assert told.next(2) == ["ready", (70, False)]


def test_an_order_does_not_wait_for_the_next_attempt(
    make: Make, told: Told, card: FakeCard
) -> None:
    card.unplug()
    volume = make(retry_s=3600.0)
    assert told.next() == [MISSING]
    card.plug()
    volume.set(25)
    assert told.next(2) == ["ready", (25, False)]


def test_a_card_that_fails_at_once_is_not_tried_in_a_loop(
    make: Make, told: Told, card: FakeCard
) -> None:
    make(retry_s=3600.0)
    told.next(2)
    card.unplug()
    assert told.next() == [GONE]
    assert card.opened == 1


def test_the_pauses_grow_while_a_card_comes_and_goes(card: FakeCard, told: Told) -> None:
    """That it can be opened proves nothing."""
    asked: list[int] = []

    def delays() -> Iterator[float]:
        for count in itertools.count():
            asked.append(count)
            yield 0.001

    volume = Volume("fake", listener=told, open_mixer=card.open, retry_delays_s=delays)
    card.failing = OSError("broken")
    volume.start()
    wait_until(lambda: len(asked) > 5)
    volume.stop()
    assert asked == list(range(len(asked)))


# --- the thread


def test_nothing_wakes_it_while_nothing_happens(make: Make, told: Told, card: FakeCard) -> None:
    make()
    told.next(2)
    absent = FakeCard()
    absent.unplug()
    restless = Volume(
        "absent",
        listener=Told(),
        open_mixer=absent.open,
        retry_delays_s=lambda: itertools.repeat(0.01),
    )
    restless.start()
    wait_until(lambda: absent.opened > 30)  # another one has been woken so often meanwhile
    restless.stop()
    assert card.updates == 0


def the_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "volume"]


def test_a_mixer_that_hangs_holds_nobody_up(card: FakeCard, told: Told) -> None:
    card.hanging.clear()
    volume = Volume("fake", listener=told, open_mixer=card.open)
    began = time.monotonic()
    volume.start()
    wait_until(lambda: card.opened == 1)
    volume.set(10)
    volume.step(5)
    volume.look_again()
    volume.stop()
    assert time.monotonic() - began < 1.0
    card.hanging.set()
    wait_until(lambda: not the_threads())
    assert told.all == []


def test_stopping_before_the_start() -> None:
    Volume("fake", listener=Told()).stop()
