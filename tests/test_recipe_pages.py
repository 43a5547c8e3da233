"""The page of a recipe is checked against its shows before anything is trained, and every name on it is its own."""

import re
from pathlib import Path
from typing import get_type_hints

import pytest

from glassloom.errors import InputError, Notice
from glassloom.exhibits import Prose
from glassloom.experiment.checking import check_page, faults
from glassloom.experiment.run import run_recipe
from glassloom.experiment.sections import Names
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.shows.arguments import families, histories, reported
from glassloom.recipes import Recipe, listed, load_recipe, parse

RECIPE = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "A recipe for tests."
settings = { steps = 4 }
groups = { g = {} }
part = [
  { name = "words", title = "Words", corpus = "ptb", runs = [{ id = "one", model = "rnn", group = "g" }] },
  { name = "more", title = "More", corpus = "ptb", runs = [{ id = "two", model = "transformer" }] },
]
page = [
  { show = "losses", name = "first", title = "First", runs = ["one"] },
  ENTRY
]
"""
LINE = 14


def page(entry: str) -> Recipe:
    """The recipe with one more entry of its page."""
    return parse(RECIPE.replace("ENTRY", entry), "my.toml")


def refusal(entry: str) -> str:
    """What is said of an entry."""
    recipe = page(entry)
    with pytest.raises(InputError) as error:
        check_page(recipe)
    return str(error.value)


@pytest.mark.parametrize("name", listed())
def test_every_listed_page_passes(name: str) -> None:
    check_page(load_recipe(name))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ('{ show = "loses" }', "there is no show loses. Expected: one that there is; did you mean losses?"),
        ('{ show = "samples", rums = ["one"] }', "the show samples has no argument rums. Expected: one of runs, lengt"),
        ('{ show = "samples" }', "the show samples needs runs. Expected: runs = ..."),
        ('{ show = "samples", runs = "one" }', "runs of the show samples cannot be 'one'. Expected: a list. To do: "),
        ('{ show = "samples", runs = [] }', "runs of the show samples cannot be []. Expected: at least one."),
        ('{ show = "samples", runs = ["onne"] }', "there is no run onne. Expected: the name of a run; did you mean on"),
        ('{ show = "samples", runs = [3] }', "runs of the show samples cannot be 3. Expected: text."),
        ('{ show = "samples", runs = ["one"], count = 0 }', "count of the show samples cannot be 0. Expected: at leas"),
        ('{ show = "samples", runs = ["one"], count = 2.5 }', "count of the show samples cannot be 2.5. Expected: a w"),
        ('{ show = "samples", runs = ["one"], count = true }', "cannot be True. Expected: a whole number."),
        ('{ show = "samples", runs = ["one"], lengths = [] }', "cannot be []. Expected: at least one."),
        ('{ show = "samples", runs = ["one"], checkpoint = "nonsense" }', "Expected: one of best, newest."),
        ('{ show = "losses", name = "x", title = "X", runs = ["one"], over = "hours" }', "one of step, epoch, seconds"),
        ('{ show = "losses", name = "x", title = "X", runs = ["one"], unit = "nat" }', "did you mean nats?"),
        ('{ show = "losses", name = "x", title = 3, runs = ["one"] }', "title of the show losses cannot be 3. Expecte"),
        ('{ show = "losses", name = "Bad Name", title = "X", runs = ["one"] }', "small letters, digits and hyphens"),
        ('{ show = "losses", name = "first", title = "X", runs = ["one"] }', "two things on the page are called first"),
        ('{ show = "losses", name = "words-ladder", title = "X", runs = ["one"] }', "are called words-ladder"),
        ('{ show = "losses", name = "targets", title = "X", runs = ["one"] }', "on the page are called targets"),
        ('{ show = "losses", name = "x", title = "X", runs = ["one"], marks = { a = "b" } }', "Expected: a number."),
        ('{ show = "losses", name = "x", title = "X", runs = ["one"], marks = { a = nan } }', "Expected: a number."),
        ('{ show = "results-table", name = "x", title = "X", runs = ["onee"] }', "there is no run onee."),
        ('{ show = "results-table", name = "x", title = "X", settings = ["lrr"] }', "there is no setting lrr."),
        ('{ show = "results-table", name = "x", title = "X", figures = ["nats"] }', "there is no figure nats."),
        ('{ show = "reported-table", file = "ptb", of = "nope" }', "there is no part nope. Expected: the name of a pa"),
        ('{ show = "reported-table", file = "other", of = "words" }', "no table of reported histories other."),
        ('{ show = "reported-curves", file = "ptb", of = "words", groups = ["h"] }', "there is no group h."),
        ('{ show = "doubled-softmax", of = "words" }', "there is no part of transformers alone words."),
        ('{ show = "heads-and-corpus", heads = ["one"], corpora = [] }', "there is no run of a transformer one."),
        ('{ show = "synthesis", name = "../../evil", title = "X", run = "one" }', "cannot be '../../evil'."),
        ('{ show = "synthesis", name = "x", title = "X", run = "one", seed = -1 }', "Expected: at least 0."),
        ('{ show = "memorised", runs = ["one"], temperature = 0 }', "cannot be 0. Expected: above 0."),
        ('{ show = "language-clipping", pairs = [["one"]] }', "Expected: a list of 2."),
        ('{ show = "language-floor", runs = ["wrods"] }', "there is no run or part wrods."),
        ('{ show = "memorising-error", runs = ["one"], reported = "E" }', "training errors in other.csv E."),
        ('{ show = "beside-report", name = "x", title = "X", runs = ["one"], of = "F" }', "experiments in other.csv F"),
        ('{ show = "gradient-flow", runs = ["one"], reported = { "one" = { "last" = 1 } } }', "number of a step, from"),
        ('{ show = "gradient-flow", runs = ["one"], reported = { "oen" = { "1" = 1 } } }', "there is no run oen."),
        ('{ show = "novel-recipes", name = "x", title = "X", runs = ["one"], reported = [{ recipe = "a" }] }', "nats "),
        ('{ show = "novel-recipes", name = "x", title = "X", runs = ["one"], reported = [{ natts = 1 }] }', "is missi"),
        ('{ show = "drift", runs = ["one"], split = "rest" }', "one of train, valid, test"),
    ],
)  # fmt: skip
def test_an_entry_that_cannot_be_is_refused_with_its_line(entry: str, said: str) -> None:
    whole = refusal(entry)
    assert whole.startswith(f"my.toml, line {LINE}: "), whole
    assert said in whole


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ('run = "one"\nfigure = "nats"', "a run has no figure nats. Expected: one of epoch,"),
        (
            'run = "one"\nfigure = "nats_per_token"\nepoch = 1',
            "no figure nats_per_token of an epoch. Expected: one of va",
        ),
    ],
)
def test_a_target_asks_for_a_figure_that_a_run_has(target: str, said: str) -> None:
    text = RECIPE.replace("ENTRY", "") + f"[[target]]\nat_most = 1\n{target}\n"
    with pytest.raises(InputError, match=re.escape("my.toml, line 19: a run has no figure")) as error:
        check_page(parse(text, "my.toml"))
    assert said in str(error.value)


def test_every_argument_of_every_show_has_a_type_that_can_refuse() -> None:
    for name, show in SHOWS.items():
        hints = get_type_hints(show, include_extras=True)
        for argument in set(hints) - {"experiment", "return"}:
            assert list(faults(hints[argument], object(), page(""), ())), f"{name}: {argument}"


def test_what_was_reported_elsewhere_has_its_names() -> None:
    assert histories(page("")) == ["ptb"]
    assert families(page("")) == ["D"]
    assert reported("training error", "epoch ")(page("")) == ["E memorise LSTM"]


def test_names_on_a_page_are_made_different_and_fit_for_files() -> None:
    first, second = page('{ show = "samples", runs = ["one"] }').page
    names = Names(page(""))
    made = [Prose(name=name, title="", paragraphs=()) for name in ("rule", "a_B", "rule", "first")]
    assert [one.name for one in names.of(second, made)] == ["rule", "a-b", "rule-2", "first-2"]
    assert [one.name for one in names.of(first, made)] == ["rule-3", "a-b-2", "rule-4", "first"]
    assert [names.section(title, ()).name for title in ("Words", "The end", "The end", "א", "א")] == [
        "words-2", "the-end", "the-end-2", "untitled", "untitled-2",
    ]  # fmt: skip


TRAINED = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "A recipe for tests."
settings = {{ steps = 4, batch_size = 4, sequence_length = 8, width = 8, layers = 1, threads = 1, eval_tokens = 100 }}
[[part]]
name = "all"
title = "All"
corpus = "{text}"
runs = [{{ id = "a_B", model = "rnn" }}, {{ id = "absent", model = "gru" }}, {{ id = "gone", model = "gru" }}]
[[page]]
show = "results-table"
name = "figures"
title = "Figures"
section = "The end"
[[page]]
show = "attention"
run = "a_B"
[[page]]
show = "samples"
runs = ["absent"]
[[page]]
show = "samples"
section = "The end"
runs = ["gone"]
"""


def test_what_cannot_be_shown_is_a_sentence_in_its_place_and_the_rest_is_shown(tmp_path: Path, tiny_text: str) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    recipe = parse(TRAINED.format(text=tmp_path / "text.txt"))
    with pytest.warns(Notice, match="The show attention is left out of the page. A model of architecture rnn has no a"):
        found = run_recipe(recipe, tmp_path / "out", only=["a_B"]).as_dict()
    exhibits = {one["name"]: one for one in found["exhibits"]}
    assert exhibits["attention"]["paragraphs"][0].startswith("A model of architecture rnn has no attention.")
    assert exhibits["samples-not-yet-run"]["paragraphs"] == ["Not yet run: absent."]
    assert exhibits["samples-not-yet-run-2"]["paragraphs"] == ["Not yet run: gone."]
    assert [row[0] for row in exhibits["figures"]["rows"]] == ["a_B", "absent", "gone"]
    assert (tmp_path / "out" / "tables" / "figures.csv").is_file()
