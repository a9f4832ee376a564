from datetime import UTC, datetime

import pytest

from ami_planfix.backfill.times import WallClock, is_zone, wrong_by

BERLIN = WallClock("Europe/Berlin")
AUTUMN = 1_793_494_800.0
"""2026-10-31 22:20 UTC; clocks go back from 3 to 2 on 25 October 2026 in Berlin."""


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("value", [1795635105, 1795635105.0, "1795635105", "1795635105.000000"])
def test_seconds_since_the_epoch_need_no_zone(value: object) -> None:
    assert BERLIN.read(value) == 1795635105.0


def test_a_wall_clock_is_read_in_its_zone_summer_and_winter() -> None:
    assert BERLIN.read("2026-07-01 12:00:00") == at("2026-07-01 10:00:00")
    assert BERLIN.read("2026-12-01 12:00:00") == at("2026-12-01 11:00:00")
    assert BERLIN.read(datetime(2026, 12, 1, 12, 0, 0, 500_000)) == at("2026-12-01 11:00:00") + 0.5  # noqa: DTZ001
    assert WallClock("UTC").read("2026-07-01 12:00:00") == at("2026-07-01 12:00:00")


def test_a_time_with_its_own_zone_is_believed() -> None:
    assert BERLIN.read("2026-07-01 12:00:00+00:00") == at("2026-07-01 12:00:00")


def test_the_hour_that_comes_twice_is_that_of_the_channel() -> None:
    first, second = at("2026-10-25 00:30:00"), at("2026-10-25 01:30:00")
    assert BERLIN.read("2026-10-25 02:30:00", near=first) == first
    assert BERLIN.read("2026-10-25 02:30:00", near=second) == second
    # A call that began before the hour came again, and ended in it.
    assert BERLIN.read("2026-10-25 02:05:00", near=at("2026-10-25 00:55:00")) == at("2026-10-25 01:05:00")


def test_what_it_shows_is_what_it_reads() -> None:
    assert BERLIN.read(BERLIN.shown(AUTUMN)) == AUTUMN


@pytest.mark.parametrize("value", ["", "yesterday", "0000-00-00 00:00:00", None])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r".*"):
        BERLIN.read(value)


def test_a_clock_that_is_wrong_by_hours_is_found_out() -> None:
    assert wrong_by([10800.2, 10801.0, 10800.0]) == 10800.0
    assert wrong_by([-19800.0, -19799.0]) == -19800.0
    assert wrong_by([0.2, 5.0, 700.0]) == 0.0
    assert wrong_by([2000.0]) == 0.0
    assert wrong_by([]) == 0.0


def test_zones_are_known_by_name() -> None:
    assert is_zone("Europe/Moscow")
    assert not is_zone("Europe/Nowhere")
