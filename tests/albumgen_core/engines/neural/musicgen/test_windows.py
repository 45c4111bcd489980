from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albumgen_core.engines.neural.musicgen.windows import Window, plan_windows


def test_a_clip_that_fits_is_one_window() -> None:
    assert plan_windows(500, 0, 1500, 900) == [Window(0, 500, 0)]


def test_the_windows_of_a_minute_are_those_of_audiocraft() -> None:
    # 30 s windows every 18 s at 50 Hz: each later one keeps 12 s of context.
    assert plan_windows(3000, 0, 1500, 900) == [
        Window(0, 1500, 0),
        Window(900, 2400, 1500),
        Window(1800, 3000, 2400),
    ]


def test_nothing_is_left_to_plan_for_a_clip_that_is_all_known() -> None:
    assert plan_windows(100, 100, 1500, 900) == []


@pytest.mark.parametrize(("total", "known", "stride"), [(0, 0, 9), (10, -1, 9), (10, 0, 0), (10, 0, 20)])
def test_impossible_plans_are_refused(total: int, known: int, stride: int) -> None:
    with pytest.raises(ValueError, match=r"frames|stride"):
        plan_windows(total, known, 20, stride)


@given(st.integers(1, 5000), st.integers(0, 5000), st.integers(2, 1500), st.data())
def test_every_frame_is_composed_once_and_always_with_context(
    total: int, known: int, window: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window - 1))
    windows = plan_windows(total, known, window, stride)
    composed = [frame for one in windows for frame in range(one.known, one.stop)]
    assert composed == list(range(known, total))
    for one in windows:
        assert one.length <= window
        assert one.start <= one.known < one.stop
        assert one.start == 0 or one.context > 0


@given(st.integers(1, 4000), st.integers(2, 1500), st.data())
def test_a_resumed_clip_goes_through_the_windows_of_an_uninterrupted_one(
    total: int, window: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, window - 1))
    known = data.draw(st.integers(0, total))
    whole = {(one.start, one.stop) for one in plan_windows(total, 0, window, stride)}
    assert {(one.start, one.stop) for one in plan_windows(total, known, window, stride)} <= whole
