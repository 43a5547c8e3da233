"""Quality of samples, correlation and drift, against counts and figures worked out by hand."""

import math

import numpy as np
import pytest

from glassloom.data import DataSettings, load_text
from glassloom.data.baselines import KneserNey, baselines
from glassloom.errors import InputError
from glassloom.exhibits import Table, Texts
from glassloom.views.correlation import pearson, ranks, spearman
from glassloom.views.drift import Continuation, Drift, drift, drift_exhibits
from glassloom.views.quality import (
    FIGURES,
    Written,
    chosen,
    correlations,
    distinct,
    five_gram,
    quality,
    quality_exhibits,
)

TEXT = np.random.default_rng(0).integers(0, 5, 400)
MODEL = KneserNey.fit(TEXT, vocabulary=5, order=5)


def written(*ids: int, prompt: tuple[int, ...] = (), nats: float = 1.0) -> Written:
    return Written(prompt, ids, (nats,) * len(ids))


def test_n_grams_are_counted_within_each_sample() -> None:
    assert distinct([[1, 2, 3, 4, 5]], 4) == 1.0
    assert distinct([[1, 1, 1, 1, 1, 1]], 4) == pytest.approx(1 / 3)
    assert distinct([[1, 2], [1, 2], [2, 1]], 2) == pytest.approx(2 / 3)
    assert distinct([[1]], 2) == 1.0


def test_each_figure_is_as_counted_by_hand() -> None:
    loop, varied = written(0, 1, 0, 1, 0, 1, 0, 1), written(0, 1, 2, 3)
    found = quality([loop, varied], MODEL, unknown=1)
    assert found.samples[0].repeated_4grams == pytest.approx(1 - 2 / 5)
    assert found.samples[1].repeated_4grams == 0.0
    assert [sample.unknown_share for sample in found.samples] == [0.5, 0.25]
    assert found.distinct == pytest.approx((4 / 12, 4 / 10, 4 / 8, 3 / 6))
    figures = found.figures
    assert tuple(figures) == FIGURES
    assert figures["unknown share"] == pytest.approx(5 / 12)
    assert figures["repeated 4-grams"] == pytest.approx(0.3)
    nats = [found.samples[0].five_gram_nats, found.samples[1].five_gram_nats]
    assert figures["5-gram perplexity"] == pytest.approx(math.exp((8 * nats[0] + 4 * nats[1]) / 12))


def test_the_5_gram_scores_what_was_added_with_the_prompt_as_its_context() -> None:
    prompt, ids = tuple(TEXT[50:54].tolist()), tuple(TEXT[54:60].tolist())
    [found] = quality([Written(prompt, ids, (2.0,) * 6)], MODEL, None).samples
    line = [*prompt, *ids]
    expected = np.mean([-math.log(MODEL.probabilities(line[:at])[line[at]]) for at in range(4, 10)])
    assert found.five_gram_nats == pytest.approx(expected)
    assert found.surer == pytest.approx(expected - 2.0)
    assert found.five_gram_perplexity == pytest.approx(math.exp(expected))
    assert found.unknown_share == 0.0


def test_the_corpus_s_5_gram_is_its_baseline() -> None:
    corpus = load_text("the cat sat on the mat. a dog ran to the sea. " * 40, DataSettings(split="80,20"))
    model = five_gram(corpus)
    known = baselines(corpus)["kneser-ney-5"]
    assert model.nats(np.asarray(corpus.valid.ids)).mean() == pytest.approx(known.nats_per_token)


def test_samples_are_chosen_by_the_stated_rule() -> None:
    rng = np.random.default_rng(1)
    samples = [written(*rng.integers(0, 5, 12).tolist()) for _ in range(10)]
    samples.append(written(*([0, 1] * 6), nats=1.0))
    samples += [written(*(rng.integers(0, 5, 6).tolist() * 2)) for _ in range(4)]
    samples.append(written(*rng.integers(0, 5, 12).tolist(), nats=0.001))
    found = quality(samples, MODEL, unknown=4)
    choices = chosen(found)
    nats = [sample.five_gram_nats for sample in found.samples]
    order = np.argsort(nats).tolist()
    assert [choice.sample for choice in choices["best"]] == order[:3]
    assert [choice.sample for choice in choices["worst"]] == order[:-4:-1]
    numbers = [choice.sample for each in choices.values() for choice in each]
    assert len(set(numbers)) == 9
    left = [number for number in range(len(samples)) if number not in order[:3] + order[-3:]]
    most = max(left, key=lambda number: found.samples[number].repeated_4grams)
    assert choices["interesting"][0].sample == most
    assert "the most repetitive" in choices["interesting"][0].why
    left.remove(most)
    unknown = max(left, key=lambda number: found.samples[number].unknown_share)
    assert choices["interesting"][1].sample == unknown
    left.remove(unknown)
    assert choices["interesting"][2].sample == max(left, key=lambda number: found.samples[number].surer)
    assert f"{found.samples[order[0]].five_gram_perplexity:,.0f}" in choices["best"][0].why
    without = chosen(quality(samples, MODEL, unknown=None))["interesting"]
    assert [choice.why.split(":")[0] for choice in without] == [
        "the most repetitive", "the surest against the 5-gram", "the most varied"
    ]  # fmt: skip
    few = chosen(quality(samples[:2], MODEL, None))
    assert [len(few[kind]) for kind in ("best", "worst", "interesting")] == [2, 0, 0]


def test_nothing_written_is_refused() -> None:
    for samples in ([], [written()]):
        with pytest.raises(InputError, match="nothing written"):
            quality(samples, MODEL, None)


def test_correlations_equal_hand_worked_values() -> None:
    assert ranks([3.0, 1.0, 3.0, 7.0]).tolist() == [2.5, 1.0, 2.5, 4.0]
    assert spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) == pytest.approx(0.8207826816681233)  # with a tie
    assert spearman([106, 86, 100, 101, 99, 103, 97, 113, 112, 110], [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]) == (
        pytest.approx(-29 / 165)  # the usual textbook example: rho = -0.1757...
    )
    assert pearson([1, 2, 3, 4], [1, 3, 2, 4]) == pytest.approx(0.8)
    assert pearson([1, 2], [3, 1]) == -1.0
    assert spearman([1, 10, 100], [1, 2, 3]) == 1.0
    assert pearson([1, 1], [1, 2]) is None
    assert spearman([1], [1]) is None
    x, y = np.random.default_rng(2).standard_normal((2, 30))
    assert pearson(x.tolist(), y.tolist()) == pytest.approx(np.corrcoef(x, y)[0, 1])


def test_quality_goes_with_perplexity_over_the_runs_that_have_both() -> None:
    figures = {name: dict.fromkeys(FIGURES, 0.5) for name in "abcd"}
    for place, name in enumerate("abcd"):
        figures[name]["repeated 4-grams"] = place / 10
    perplexities = {"a": 400.0, "b": 200.0, "c": 100.0, "d": math.inf}
    found = {each.figure: each for each in correlations(figures, perplexities)}
    assert found["repeated 4-grams"].spearman == pytest.approx(-1.0)
    assert found["repeated 4-grams"].pearson == pytest.approx(-1.0)  # the logarithm falls by ln 2 each time
    assert found["unknown share"].spearman is None
    table, together = quality_exhibits(figures, perplexities)
    assert isinstance(table, Table)
    assert [len(row) for row in table.rows] == [len(table.columns)] * 4
    assert isinstance(together, Table)
    assert [row[0] for row in together.rows] == list(FIGURES)


@pytest.mark.parametrize(
    ("text", "truth", "expected"),
    [
        ("abcdef", "abcdef", Drift(None, 1.0, 6)),
        ("abcdefgh", "abcdef", Drift(None, 1.0, 6)),
        ("abXdef", "abcdef", Drift(2, 5 / 6, 6)),
        ("abc", "abcdef", Drift(3, 0.5, 6)),
        ("", "abc", Drift(0, 0.0, 3)),
        ("Xbc", "abc", Drift(0, 2 / 3, 3)),
        ("abc", "", Drift(None, 1.0, 0)),
    ],
)
def test_where_a_continuation_drifts_off(text: str, truth: str, expected: Drift) -> None:
    assert drift(text, truth) == expected


def test_the_table_of_drift_sums_up_each_moment() -> None:
    early = [Continuation("ab", "xyz", "cde"), Continuation("ab", "cdX", "cde")]
    late = [Continuation("ab", "cde", "cde"), Continuation("ab", "cXe", "cde"), Continuation("ab", "cdeee", "cde")]
    table, texts = drift_exhibits({"epoch 0": early, "epoch 50": late}, shown=2)
    assert isinstance(table, Table)
    assert table.rows == (("epoch 0", 2, 0, 1.0, 0, 2, pytest.approx(2 / 6)), ("epoch 50", 3, 2, 3.0, 1, 3, 8 / 9))
    assert isinstance(texts, Texts)
    assert [text.label for text in texts.texts] == ["epoch 0, 1", "epoch 0, 2", "epoch 50, 1", "epoch 50, 2"]
    assert texts.texts[1].marked == ((2, 3),)
    assert texts.texts[1].note == "2 of 3 characters are right before the first wrong one; 67% agree place by place"
    assert texts.texts[0].note.startswith("0 of 3 characters are right")  # the same count as in the table
    assert table.rows[0][4] == 0
    assert "how many characters are right before the first wrong one" in table.caption
    assert texts.texts[2].note == "wholly right"
    assert texts.texts[0].truth == "cde"
