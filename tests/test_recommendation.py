"""Which setting to take: the front, and the sentences with their numbers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from comparisons import baseline, corpus, made_up, reported_rows, row
from glassloom.comparison import Candidate, Curve, Point, front, recommend

WORDS = corpus("word")
NUMBERS = st.integers(0, 6) | st.floats(0, 1e6)
POINTS = st.lists(st.builds(Candidate, st.text("abc", min_size=1, max_size=3), NUMBERS, NUMBERS), max_size=30)


def beats(one: Candidate, other: Candidate) -> bool:
    return one.seconds <= other.seconds and one.loss <= other.loss and one[1:] != other[1:]


@given(POINTS)
def test_nothing_on_the_front_is_beaten_and_everything_off_it_is(points: list[Candidate]) -> None:
    on_front = front(points)
    for point in points:
        assert any(beats(other, point) for other in points) == (point not in on_front)
    assert on_front == sorted(on_front, key=lambda point: point.seconds)
    assert sorted(on_front) == sorted(point for point in points if point in on_front), "equal points are all kept"


def test_the_reported_figures_of_penn_treebank_have_the_front_that_the_reference_names() -> None:
    rows = reported_rows()
    assert len(rows) == 15
    found = recommend(rows, WORDS)
    assert found.front == ("3.4b", "3.2b", "3.2a", "3.2c")
    assert (found.generalization, found.time) == ("3.2c", "3.4b")
    told = " ".join(found.sentences)
    assert "3.2c reaches perplexity 106.71" in told
    assert "3.51 (3.2%) lower than the next, 3.2a (110.22)" in told
    assert "3.4b (685 s, 126.92), 3.2b (838 s, 119.76), 3.2a (852 s, 110.22) and 3.2c (2,846 s, 106.71)" in told
    assert "3.4b is there 2,161 s sooner than 3.2c, 4.2 times as fast, and gives up 20.21 (18.9%)" in told


def test_a_row_that_diverged_is_left_out_and_named() -> None:
    rows = [row("a", 10, 4), row("b", 5, 2, status="diverged", reason="the loss was infinite at step 7.")]
    found = recommend(rows, WORDS)
    assert found.front == ("a",)
    assert "b is left out: it diverged (the loss was infinite at step 7)." in found.sentences


def test_a_row_whose_figure_is_infinite_counts_as_diverged() -> None:
    assert row("a", 10, 4, train_perplexity=math.inf).status == "diverged"


def test_one_row_says_that_there_is_nothing_to_compare() -> None:
    found = recommend([row("a", 10, 4)], WORDS)
    assert "nothing to compare it with" in found.sentences[0]
    assert (found.generalization, found.time, found.front) == ("a", "a", ("a",))


def test_no_row_and_no_finished_row_recommend_nothing() -> None:
    assert recommend([], WORDS).sentences == ("No run finished, so there is nothing to recommend.",)
    found = recommend([row("a", None, None, status="failed", reason="no memory")], WORDS)
    assert found.generalization is None
    assert "a is left out: it failed (no memory)." in found.sentences


def test_seeds_count_by_their_mean_and_a_gap_within_their_spread_decides_nothing() -> None:
    rows = [
        row("a-1", 10, 4.0, setting="a", seed=1),
        row("a-2", 12, 5.0, setting="a", seed=2),
        row("b-1", 10, 4.5, setting="b", seed=1),
        row("b-2", 12, 4.7, setting="b", seed=2),
    ]
    found = recommend(rows, WORDS)
    assert found.generalization == "a"
    assert "a reaches perplexity 4.50 on the validation text (mean of 2 seeds), 0.10" in found.sentences[0]
    assert "within the spread over seeds (standard deviation 0.71)" in found.sentences[1]
    assert "do not tell a and b apart" in found.sentences[1]


def test_a_gap_beyond_the_spread_over_seeds_is_not_called_chance() -> None:
    rows = [row(f"{name}-{seed}", 10, loss + seed / 100, setting=name) for name, loss in [("a", 4), ("b", 9)]
            for seed in (1, 2)]  # fmt: skip
    told = " ".join(recommend(rows, WORDS).sentences)
    assert "apart" not in told
    assert "chance" not in told


def test_level_settings_are_both_named() -> None:
    found = recommend([row("a", 10, 4), row("b", 10, 4)], WORDS)
    assert "a and b are level" in found.sentences[0]
    assert found.front == ("a", "b")


def test_one_setting_that_is_best_in_both_is_said_to_be() -> None:
    told = " ".join(recommend([row("a", 10, 4), row("b", 12, 5)], WORDS).sentences)
    assert "Best for time too: a (10.0 s, 4.00)" in told


def test_fair_and_in_training_figures_are_never_mixed() -> None:
    half_fair = row("a", 10, 4, nats_per_token=None)
    other = row("b", 10, 9, nats_per_token=math.log(2), valid_perplexity_fair=2.0)
    assert recommend([half_fair, other], WORDS).generalization == "a"


def test_the_baselines_passed_and_those_ahead_are_named() -> None:
    lines = {"uniform": baseline(6), "kneser-ney-5": baseline(1.5)}
    told = " ".join(recommend([row("a", 10, 4), row("b", 11, 5)], corpus(), baselines=lines).sentences)
    assert "a passes uniform (6.000); kneser-ney-5 (1.500) is still better." in told


def test_who_is_first_at_the_level_that_all_reach_is_read_off_the_curves() -> None:
    def curve(name: str, *points: tuple[float, float]) -> Curve:
        made = [Point(step=1, epoch=1, tokens=1, seconds=at, train_nats=None, valid_nats=nats) for at, nats in points]
        return Curve(id=name, points=tuple(made))

    curves = [curve("a", (1, 3.0), (2, 2.0), (9, 1.0)), curve("b", (1, 3.0), (4, 2.0))]
    told = recommend([row("a", 9, 2.7), row("b", 4, 7.3)], corpus(), curves).sentences
    assert any(
        "2.885 bits per character" in line and "a came first, after 2.0 s; b after 4.0 s" in line for line in told
    )


def test_a_comparison_of_characters_speaks_of_bits() -> None:
    found = made_up().recommendation
    assert "bits per character" in found.sentences[0]
    assert any(line.startswith("rnn lr=1-1 is left out") for line in found.sentences)


def test_runs_that_took_the_same_time_are_not_told_apart_by_fractions_of_a_second() -> None:
    rows = [row("gru", 21.8, 5.0), row("transformer", 21.0, 11.0)]
    found = recommend(rows, WORDS)
    assert found.front == ("gru",)
    assert found.time == found.generalization == "gru"
    assert "All took the same time to their best (21.0 s to 21.8 s)" in " ".join(found.sentences)


def test_a_moment_sooner_does_not_make_up_for_a_worse_loss() -> None:
    found = front([Candidate("a", 54.0, 3.46), Candidate("b", 54.011, 3.33), Candidate("c", 60.0, 3.2)])
    assert [point.name for point in found] == ["b", "c"]


def test_where_all_were_given_the_same_minutes_the_time_to_the_best_ranks_nothing() -> None:
    given = {"settings": {"train": {"minutes": 1.0}}}
    rows = [row("gru", 58.0, 5.0, **given), row("rnn", 20.0, 11.0, **given)]
    found = recommend(rows, WORDS)
    told = " ".join(found.sentences)
    assert "Every run was given the same time, 60.0 s, so the time that it took to its best (20.0 s to 58.0 s)" in told
    assert "for that time gru is the best" in told
    assert "Best for time" not in told
    assert (found.time, found.front) == ("gru", ("gru",))
    other = [rows[0], row("rnn", 20.0, 11.0, settings={"train": {"minutes": 0.5}})]
    assert recommend(other, WORDS).front == ("rnn", "gru"), "unlike budgets: a front"
