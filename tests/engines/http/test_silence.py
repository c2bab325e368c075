"""How silence is added up, and how much of it is too much."""

import pytest

from epf.engines.http.silence import PERIOD_S, SLOWER, STALL_S, Pace, Silence


def test_the_silence_of_calls_that_were_cancelled_counts() -> None:
    silence = Silence()
    for start in (0.0, 100.0, 200.0):
        silence.begin(start)
        silence.end(start + 2)
    assert silence.seconds(1000.0) == 6.0
    silence.begin(1000.0)
    assert silence.seconds(1001.0) == 7.0


def test_calls_at_the_same_time_wait_once_and_any_of_them_ends_the_silence() -> None:
    silence = Silence()
    silence.begin(0.0)
    silence.begin(1.0)
    assert silence.seconds(4.0) == 4.0
    silence.heard(5.0)
    assert silence.seconds(6.0) == 1.0
    silence.end(6.0)
    assert silence.seconds(8.0) == 3.0
    silence.end(9.0)
    assert silence.seconds(99.0) == 4.0


def test_what_counts_as_a_stall_follows_the_longest_silence_of_late() -> None:
    pace = Pace()
    assert pace.stall_s(0.0) is None
    pace.silent_for(0.01, 0.0)
    assert pace.stall_s(1.0) == STALL_S
    pace.silent_for(20.0, 2.0)
    pace.silent_for(1.0, 3.0)
    assert pace.stall_s(4.0) == SLOWER * 20
    pace.silent_for(2.0, PERIOD_S + 1)
    assert pace.stall_s(PERIOD_S + 1) == SLOWER * 20
    pace.silent_for(2.0, 2 * PERIOD_S + 1)
    assert pace.stall_s(2 * PERIOD_S + 2) == SLOWER * 2


@pytest.mark.parametrize("idle_s", [PERIOD_S, 100 * PERIOD_S])
def test_it_is_remembered_while_no_call_is_made(idle_s: float) -> None:
    pace = Pace()
    pace.silent_for(9.0, 0.0)
    assert pace.stall_s(idle_s) == SLOWER * 9
