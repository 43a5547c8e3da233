"""Schedules: numbers worked out by hand, at the beginning, between, and at the end."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassloom.config.training import TrainSettings
from glassloom.training.schedules import Schedule


def factors(progresses: list[float], steps: int = 100, epochs: float = 10.0, **settings) -> list[float]:
    schedule = Schedule(TrainSettings(**settings))
    return [schedule.factor(p, round(p * steps), p * epochs) for p in progresses]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"schedule": "constant"}, [1, 1, 1, 1, 1]),
        ({"schedule": "linear", "lr_final": 0.0}, [1, 0.75, 0.5, 0.25, 0]),
        ({"schedule": "linear", "lr_final": 0.2}, [1, 0.8, 0.6, 0.4, 0.2]),
        ({"schedule": "cosine", "lr_final": 0.0}, [1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 0]),
        ({"schedule": "cosine", "lr_final": 0.5}, [1, 0.75 + math.sqrt(0.5) / 4, 0.75, 0.75 - math.sqrt(0.5) / 4, 0.5]),
        ({"schedule": "wsd", "lr_final": 0.0, "decay_share": 0.5}, [1, 1, 1, 1 - math.sqrt(0.5), 0]),
        ({"schedule": "wsd", "lr_final": 0.1, "decay_share": 0.25}, [1, 1, 1, 1, 0.1]),
        ({"schedule": "step", "step_every": 2.5, "step_factor": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625]),
        ({"schedule": "step", "step_every": 4, "step_factor": 0.1}, [1, 1, 0.1, 0.1, 0.01]),
        ({"schedule": "plateau"}, [1, 1, 1, 1, 1]),
    ],
)
def test_factors_at_the_quarters_of_the_budget(settings: dict, expected: list[float]) -> None:
    assert factors([0, 0.25, 0.5, 0.75, 1], **settings) == pytest.approx(expected, abs=1e-12)


def test_a_warm_up_in_steps_rises_in_a_straight_line_and_the_decay_begins_at_its_end() -> None:
    schedule = Schedule(TrainSettings(schedule="linear", lr_final=0.0, warmup=20))
    values = [schedule.factor(step / 100, step, 0.0) for step in range(101)]
    assert values[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert values[20:] == pytest.approx([1 - (step - 20) / 80 for step in range(20, 101)])


def test_a_warm_up_as_a_fraction_rises_with_the_budget_whatever_its_kind() -> None:
    settings = {"schedule": "linear", "lr_final": 0.0, "warmup": 0.2}
    assert factors([0, 0.05, 0.1, 0.2, 0.6, 1], **settings) == pytest.approx([0.01, 0.25, 0.5, 1, 0.5, 0])
    assert Schedule(TrainSettings(**settings)).factor(0.1, 7, 0.0) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "wsd", "step", "plateau"])
@pytest.mark.parametrize("warmup", [10.0, 0.1])
def test_every_schedule_can_warm_up(schedule: str, warmup: float) -> None:
    plain = factors([0.05, 0.1, 0.99], schedule=schedule, step_every=100)
    warm = factors([0.05, 0.1, 0.99], schedule=schedule, step_every=100, warmup=warmup)
    assert warm[0] in (pytest.approx(0.5), pytest.approx(0.6))
    assert warm[1] == pytest.approx(1.0)
    assert warm[2] == pytest.approx(plain[2], abs=0.02)


@given(
    st.sampled_from(["constant", "linear", "cosine", "wsd", "step"]),
    st.sampled_from([0.0, 0.1, 0.9, 1.0, 5.0, 1000.0]),
    st.floats(0, 1.2),
    st.integers(0, 2000),
)
def test_the_factor_is_a_positive_share_and_the_same_each_time(
    name: str, warmup: float, progress: float, step: int
) -> None:
    schedule = Schedule(TrainSettings(schedule=name, warmup=warmup, lr_final=0.05))
    factor = schedule.factor(progress, step, 3 * progress)
    assert 0 < factor <= 1
    assert schedule.factor(progress, step, 3 * progress) == factor


def test_plateau_lowers_after_its_patience_and_begins_to_count_anew() -> None:
    schedule = Schedule(TrainSettings(schedule="plateau", plateau_patience=2, plateau_factor=0.1))
    seen = []
    for loss in (3.0, 2.0, 2.5, 2.0, 2.1, 1.9, math.nan, 5.0, 5.0):
        schedule.observe(loss)
        seen.append(schedule.factor(0.5, 10, 1.0))
    assert seen == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])


def test_a_saved_plateau_goes_on_where_it_was() -> None:
    settings = TrainSettings(schedule="plateau", plateau_patience=3)
    schedule, resumed = Schedule(settings), Schedule(settings)
    for loss in (2.0, 2.5, 2.5, 2.5, 2.5):
        schedule.observe(loss)
    resumed.restore(json.loads(json.dumps(schedule.state())))
    for _ in range(2):
        for chosen in (schedule, resumed):
            chosen.observe(2.2)
    assert resumed.factor(0, 0, 0) == schedule.factor(0, 0, 0) == 0.25
    assert resumed.state() == schedule.state()
    fresh = Schedule(settings)
    fresh.restore(json.loads(json.dumps(Schedule(settings).state())))
    fresh.observe(1e300)
    assert fresh.state() == {"scale": 1.0, "best": 1e300, "waited": 0}


def test_only_plateau_listens_to_evaluations() -> None:
    schedule = Schedule(TrainSettings(schedule="constant", plateau_patience=1))
    for _ in range(5):
        schedule.observe(3.0)
    assert schedule.factor(0.5, 1, 1.0) == 1.0
