"""The bench's table: what it says of the values it was given."""

from __future__ import annotations

from tests.bench.report import Figure, Section, table


def test_a_row_has_the_median_the_extremes_and_how_many() -> None:
    assert Figure("start", "ms", [3.0, 1.0, 250.0, 4.04]).cells() == (
        "3.5",
        "1.0",
        "250.0",
        "4",
        "",
    )


def test_what_is_below_one_keeps_two_digits() -> None:
    assert Figure("idle", "ms", [-0.25]).cells()[:3] == ("-0.25", "-0.25", "-0.25")


def test_zero_has_no_sign() -> None:
    assert Figure("idle", "ms", [-0.001]).cells()[0] == "0.00"


def test_the_columns_of_all_sections_are_aligned() -> None:
    lines = list(
        table(
            [
                Section("Latency", [Figure("press", "ms", [1.5], "≤ 5")]),
                Section("Idle", [Figure("wake-ups of all threads", "", [100, 120])]),
            ]
        )
    )

    assert lines == [
        "                            median      min      max        n   direction",
        "",
        "Latency",
        "  press, ms                    1.5      1.5      1.5        1   ≤ 5",
        "",
        "Idle",
        "  wake-ups of all threads    110.0    100.0    120.0        2",
    ]
