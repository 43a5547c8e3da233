"""What a plan foretells: its law by hand, its fit on losses made up from the law, its probes on a small text."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import Commands
from glassloom.config import Config
from glassloom.data import load_text
from glassloom.data.corpus import Corpus
from glassloom.errors import SettingError
from glassloom.forecast import Plan, Probe, plan
from glassloom.forecast.law import Constants, Law, Point, fit, law, normal_quantile, predicted, reducible, worth
from glassloom.forecast.page import page_of
from glassloom.forecast.planning import SIZES, curve, dropout_for, forecast
from glassloom.forecast.probing import SCORED, STRETCHES, WARM, core, held_out, prepared, speed, stretches
from glassloom.forecast.probing import probe as probe_once
from glassloom.models import ARCHITECTURES, build
from trainings import language

MADE_UP = Law({"gru": Constants(0.1, 0.3, 0.4, 0.35, 10_000), "rnn": Constants(0.2, 0.2, 0.5, 0.3, 0)}, 5.0, 0.02)


def test_the_law_is_the_published_form() -> None:
    one = Constants(size=0.1, alpha=0.5, data=0.4, beta=0.25, late=600_000)
    assert reducible(one, 4e6, 400_000) == pytest.approx(0.1 * 0.5 + 0.4)
    assert reducible(one, 1e6, 15.4e6) == pytest.approx(0.1 + 0.4 / 2)


def test_repeated_tokens_are_worth_less_and_less() -> None:
    """Muennighoff et al.: the first repetition is worth nearly a fresh pass, all of them together R passes."""
    assert worth(900, 1000, 5) == 900
    assert worth(1000, 1000, 5) == 1000
    assert worth(2000, 1000, 5) == pytest.approx(1000 * (1 + 5 * (1 - math.exp(-0.2))))
    assert worth(1e9, 1000, 5) == pytest.approx(6000)


def points(floor: float, scale: float, noise: float = 0.0, seed: int = 0) -> list[Point]:
    """Short trainings whose losses are the law's own."""
    draw = np.random.default_rng(seed)
    return [
        Point(model, 800_000, tokens, floor + scale * reducible(MADE_UP.architectures[model], 800_000, tokens)
              + draw.normal(0, noise))
        for model in MADE_UP.architectures
        for tokens in (10_000, 30_000, 100_000)
    ]  # fmt: skip


@pytest.mark.parametrize(("floor", "scale"), [(1.2, 1.0), (0.3, 0.8), (4.0, 1.6)])
def test_a_texts_own_part_is_the_weighted_least_squares_with_the_prior_as_one_row_more(
    floor: float, scale: float
) -> None:
    probes = points(floor, scale, 0.02)
    found = fit(probes, constants=MADE_UP)
    rows, values = [], []
    for one in probes:
        error = 0.03 * (1 + (30_000 + MADE_UP.architectures[one.model].late) / one.tokens)
        feature = reducible(MADE_UP.architectures[one.model], one.parameters, one.tokens)
        rows.append([1 / error, feature / error])
        values.append(one.nats / error)
    solution = np.linalg.lstsq(np.array([*rows, [0, 1 / 0.2]]), np.array([*values, 1 / 0.2]), rcond=None)[0]
    assert (found.floor, found.scale) == pytest.approx(tuple(solution), abs=1e-9)
    nats, low, high = predicted(found, "gru", 800_000, 2e6, constants=MADE_UP)
    truth = floor + scale * reducible(MADE_UP.architectures["gru"], 800_000, 2e6)
    assert low < truth < high
    assert nats == pytest.approx(truth, abs=0.15)


def test_an_interval_is_wider_the_less_is_known_and_the_further_it_goes() -> None:
    def width(found: Any, tokens: float) -> float:
        _, low, high = predicted(found, "gru", 800_000, tokens, constants=MADE_UP)
        return high - low

    sure, unsure = (fit(points(1.0, 1.0, noise, seed=3), constants=MADE_UP) for noise in (0.0, 0.3))
    assert width(unsure, 2e6) > 2 * width(sure, 2e6)
    assert width(sure, 1e8) > 1.5 * width(sure, 1e6)
    assert width(sure, 150_000) >= 2 * normal_quantile(0.95) * 0.02 * 0.99, "the law is never surer than it has shown"


def test_intervals_hold_what_the_law_draws() -> None:
    """Texts made up with the noise that is allowed for: 90 percent are to lie inside. Of 100, fewer than 80 or all of
    them would come about with a probability below 0.001."""
    inside = 0
    draw = np.random.default_rng(1)
    for number in range(100):
        found = fit(points(1.0, 1.0, 0.03, seed=number), constants=MADE_UP)
        truth = 1.0 + reducible(MADE_UP.architectures["gru"], 800_000, 270_000) + draw.normal(0, 0.02)
        _, low, high = predicted(found, "gru", 800_000, 270_000, constants=MADE_UP)
        inside += low <= truth <= high
    assert 80 <= inside <= 99


def test_the_kept_constants_know_every_architecture_and_fall_with_size_and_tokens() -> None:
    assert set(law().architectures) == set(ARCHITECTURES)
    for one in law().architectures.values():
        losses = [reducible(one, 1e6, tokens) for tokens in (1e4, 1e5, 1e6, 1e7)]
        assert losses == sorted(losses, reverse=True)
        assert reducible(one, 1e5, 1e6) > reducible(one, 1e6, 1e6)
    assert law().spread > 0
    for model, widths in SIZES.items():
        assert Config.from_flat({"model": model}).flat()["width"] in widths


# -- probes


@pytest.fixture(scope="module")
def text(tiny_text: str) -> Corpus:
    return load_text(tiny_text)


def test_a_probe_is_a_training_with_its_whole_schedule(text: Corpus) -> None:
    found = probe_once(text, {"model": "gru", "width": 16, "threads": 1}, 0.3)
    assert found.nats is not None
    assert found.nats < math.log(text.tokenizer.size) - 0.3
    assert 0.3 <= found.seconds < 30
    assert found.tokens % (16 * 64) == 0
    assert found.tokens_per_second == pytest.approx(found.tokens / found.seconds, rel=0.5)
    assert found.parameters == 2 * 3 * 16 * (16 + 16 + 1)


def test_core_parameters_leave_the_vocabulary_out() -> None:
    for model in ARCHITECTURES:
        few, many = (core(build(Config.from_flat({"model": model, "width": 16}).model, size)) for size in (20, 500))
        assert few == many > 0
    gru = core(build(Config.from_flat({"model": "gru", "width": 16, "layers": 1}).model, 20))
    assert gru == 3 * 16 * (16 + 16 + 1)


def test_stretches_are_spread_over_the_held_out_text_and_scored_as_by_hand(text: Corpus) -> None:
    state = prepared(text, {"model": "gru", "width": 8, "layers": 1, "threads": 1}, 1.0)
    inputs, targets = stretches(text.valid)
    assert inputs.shape == targets.shape
    assert inputs.shape[1] == WARM + SCORED
    assert inputs.shape[0] == min(STRETCHES, (len(text.valid.ids) - WARM - SCORED - 1) // (WARM + SCORED))
    assert inputs[0, :5].tolist() == text.valid.ids[:5].tolist()
    assert targets[-1, -1] == text.valid.ids[-1]
    state.model.eval()
    logits, _ = state.model(inputs)
    picked = logits.detach().log_softmax(-1).gather(-1, targets[..., None])[..., 0][:, WARM:]
    assert held_out(state, text) == pytest.approx(-float(picked.mean()), abs=1e-5)


def test_sequences_can_be_probed_too() -> None:
    found = probe_once(language(), {"model": "rnn", "width": 8, "threads": 1}, 0.05)
    assert found.nats is not None
    assert abs(found.nats - math.log(language().tokenizer.size)) < 1.5


def test_the_speed_of_a_size_falls_with_it(text: Corpus) -> None:
    small, fast = speed(text, {"model": "gru", "width": 16, "threads": 1})
    large, slow = speed(text, {"model": "gru", "width": 512, "threads": 1})
    assert small < large
    assert fast > 3 * slow, "a thousand times the arithmetic"


# -- the plan


def probes_of(tokens_per_second: float) -> list[Probe]:
    return [
        Probe("gru", width, 12 * width**2, 30_000, 1.0, tokens_per_second * (256 / width) ** 2, 2.0)
        for width in (128, 256, 512)
    ]


def test_more_time_takes_a_larger_model() -> None:
    one = fit(points(1.0, 1.0), constants=MADE_UP)
    found = curve("gru", probes_of(30_000), one, 10**9, 60)
    assert list(found.nats) == sorted(found.nats, reverse=True)
    best = [
        min((forecast(probe, one, 10**9, minutes) for probe in probes_of(30_000)), key=lambda one: one.nats).width
        for minutes in (0.01, 10_000)
    ]
    assert best[0] < best[1]


def test_more_passes_drop_more() -> None:
    assert [dropout_for(passes) for passes in (1, 3, 30)] == [0.0, 0.1, 0.2]
    one = fit(points(1.0, 1.0), constants=MADE_UP)
    assert forecast(probes_of(30_000)[1], one, 10**5, 1).settings == {"dropout": 0.2}
    assert forecast(probes_of(30_000)[0], one, 10**9, 1).settings == {"width": 128}


@pytest.fixture(scope="module")
def planned(text: Corpus) -> Plan:
    return plan(text, minutes=0.25, models=["rnn", "gru"], threads=1)


def test_a_plan_weighs_what_it_probed_and_recommends_the_best(planned: Plan) -> None:
    trained = [one for one in planned.probes if one.nats is not None]
    assert [one.model for one in trained] == ["rnn", "gru"], "too short a time to cut in two"
    assert sum(one.seconds for one in trained) < 30, "generous: a second and a half was meant"
    assert planned.best.nats == min(one.nats for one in planned.forecasts)
    assert planned.best.low < planned.best.nats < planned.best.high
    assert [one.model for one in planned.of_each()] in (["rnn", "gru"], ["gru", "rnn"])
    assert planned.command.startswith(f"glassloom train text --model {planned.best.model} --minutes 0.25")
    json.dumps(planned.as_dict(), allow_nan=False)
    weighed = {(one.model, one.width) for one in planned.forecasts}
    missing = {model for model in ("rnn", "gru") for width in SIZES[model] if (model, width) not in weighed}
    assert any("not weighed" in note for note in planned.notes) == bool(missing)


def test_the_page_draws_the_curves_with_their_interval(planned: Plan) -> None:
    page = page_of(planned, "glassloom plan")
    shown = {exhibit.name: exhibit for section in page.sections for exhibit in section.exhibits}
    series = {one.name: one for one in shown["foretold"].series}  # type: ignore[attr-defined]
    assert set(series) == {"rnn", "gru"}
    assert series[planned.best.model].low
    assert len(shown["sizes"].rows) == len(planned.forecasts)  # type: ignore[attr-defined]
    assert planned.command in str(shown["again"])


def test_the_command_prints_table_curve_and_command_and_writes_a_page(
    commands: Commands, tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(tiny_text, encoding="utf-8")
    done = commands.done("plan", "text.txt", "--minutes", "0.25", "--models", "rnn", "--threads", "1", "--out", "page")
    assert "glassloom train text.txt --model rnn --minutes 0.25" in done.out
    assert "after minutes" in done.out
    assert any(line.startswith("probe rnn of width 256") for line in done.lines)
    assert Path("page/report.html").is_file()
    assert Path("page/plan.json").is_file()
    assert not Path("runs").exists()


def test_what_cannot_be_planned_is_one_sentence(
    commands: Commands, text: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text("abc\n" * 2, encoding="utf-8")
    assert "minutes cannot be 0.1" in commands.refused("plan", "text.txt", "--minutes", "0.1")
    for given, said in (
        ({"minutes": float("nan")}, "minutes cannot be nan"), ({"models": ["gruu"]}, "did you mean gru?"),
        ({"models": ["gru", "gru"]}, "cannot be planned"), ({"lr": 1e-3}, "cannot be told lr"),
    ):  # fmt: skip
        with pytest.raises(SettingError) as error:
            plan(text, **given)
        assert said in str(error.value)


def test_the_page_of_the_documentation_says_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[1]
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import plan as benchmark

    text = (root / "docs" / "plan.md").read_text(encoding="utf-8")
    block = text.split(benchmark.BEGIN)[1].split(benchmark.END)[0]
    assert block == benchmark.table(), "write it anew: python benchmarks/plan.py --page"
