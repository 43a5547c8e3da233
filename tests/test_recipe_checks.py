"""What is wrong in a recipe is refused when it is read: names, references, settings, each with its line."""

import tomllib
from typing import Any

import pytest

from glassloom.errors import InputError
from glassloom.recipes import listed, parse
from glassloom.recipes.lines import line_of, lines_of

RECIPE = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "A recipe for tests."
[groups]
wide = { width = 16 }
[[part]]
name = "words"
title = "Words"
corpus = "python-stdlib"
runs = [
  { id = "3.2a", model = "gru", group = "wide", steps = 4 },
  { id = "two", model = "rnn", lr = 1e-3 },
]
[[part]]
name = "more"
title = "More"
corpus = "python-stdlib"
optional = true
settings = { dropout = 0.1 }
runs = [{ id = "three", model = "transformer" }]
[quick]
only = ["wide", "more"]
runs = { two = { steps = 3 } }
[[target]]
runs = ["3.2a"]
figure = "valid_perplexity"
epoch = 1
table = "ptb"
[[page]]
show = "losses"
part = "words"
name = "losses"
title = "Losses"
runs = ["3.2a"]
"""


def refusal(before: str, after: str) -> str:
    """What is said of the recipe with one thing changed."""
    assert RECIPE.count(before) == 1
    with pytest.raises(InputError) as error:
        parse(RECIPE.replace(before, after), "my.toml")
    return str(error.value)


def test_the_recipe_of_these_tests_is_in_order() -> None:
    assert [run.id for _, run in parse(RECIPE).runs()] == ["3.2a", "two", "three"]


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ('name = "more"', 'name = "words"', 17, "two parts are called words"),
        ('id = "two"', 'id = "3.2A"', 14, "two runs are called 3.2A"),
        ('id = "two"', 'id = "results.json"', 14, "a run cannot be called results.json"),
        ('id = "two"', 'id = "Report.html"', 14, "a run cannot be called Report.html"),
        ('id = "three"', 'id = "figures"', 22, "a run cannot be called figures"),
        ('id = "three"', 'id = "kept"', 22, "a run cannot be called kept"),
        ('id = "three"', 'id = "../evil"', 22, "id cannot be '../evil'. Expected: 1 to 64 letters"),
        ('group = "wide"', 'group = "wid"', 13, "there is no group wid. Expected: one of wide; did you mean wide?"),
        ('only = ["wide", "more"]', 'only = ["wide", "mroe"]', 24, "there is no run mroe"),
        ("runs = { two", "runs = { twoo", 25, "there is no run twoo. Expected: the name of a run; did you mean two?"),
        ('runs = ["3.2a"]\nfigure', 'runs = ["3.2x"]\nfigure', 27, "there is no run 3.2x"),
        ('runs = ["3.2a"]\nfigure', 'runs = ["words"]\nfigure', 27, "there is no run words"),
        ('runs = ["3.2a"]\nfigure', 'runs = ["two"]\nfigure', 30, "the table ptb of reported figures has no run two"),
        ("epoch = 1", "epoch = 21", 30, "the table ptb has no epoch 21 of 3.2a. Expected: 1 to 20"),
        ('table = "ptb"', 'table = "ptp"', 30, "no table of reported figures ptp. Expected: one of other, ptb"),
        ('table = "ptb"', "", 26, "the target valid_perplexity does not say what must be reached"),
        ('part = "words"', 'part = "word"', 33, "there is no part word. Expected: the name of a part; did you mean"),
        ("lr = 1e-3", 'lr = "fast"', 14, "run two: lr cannot be fast. Expected: a number that is above 0"),
        ("dropout = 0.1", "dropout = 2", 21, "run three: dropout cannot be 2."),
        ("width = 16", "width = 0", 7, "run 3.2a: width cannot be 0."),
        ("steps = 3", "steps = 2.5", 25, "run two: steps cannot be 2.5. Expected: a whole number"),
        ('model = "rnn"', 'model = "rn"', 14, "did you mean rnn?"),
        ("dropout = 0.1", '"nope.lr" = 2', 21, "there is no setting nope.lr. Expected: a setting; did you mean"),
        ("dropout = 0.1", "heads = 3", 21, "the heads must divide the width"),
        ('runs = [{ id = "three", model = "transformer" }]', "runs = []", 22, "runs cannot be []. Expected: at least"),
        ('title = "More"', "title = 3", 18, "title cannot be 3. Expected: text"),
        ("optional = true", 'optional = "perhaps"', 20, "optional cannot be 'perhaps'. Expected: true or false"),
        ("epoch = 1", 'epoch = "one"', 29, "epoch cannot be 'one'. Expected: a whole number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(before: str, after: str, line: int, said: str) -> None:
    whole = refusal(before, after)
    assert whole.startswith(f"my.toml, line {line}: "), whole
    assert said in whole
    assert "should" not in whole, "the validator's own words"


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything in plain data."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


@pytest.mark.parametrize("name", listed())
def test_every_key_of_every_listed_recipe_has_the_line_on_which_it_stands(name: str) -> None:
    text = listed()[name].read_text(encoding="utf-8")
    found, lines = lines_of(text), text.splitlines()
    assert set(found) == set(places(tomllib.loads(text))) - {()}
    assert all(str(path[-1]) in lines[line - 1] for path, line in found.items() if isinstance(path[-1], str))


def test_lines_are_told_through_quotes_comments_and_nested_tables() -> None:
    text = (
        'a.b = 1.5 # a = 2\n"x.y" = """\nq = 3\n"""\nwhen = 2020-01-01 10:00:00\n'
        "q = { m = [ { k = '}' },\n { k = 2 } ], \"n.o\" = 1 }\n[[t]]\nk = 1\n[[t]]\n[t.s]\nk = 2\n"
    )
    paths = [("a", "b"), ("x.y",), ("when",), ("q", "m", 0, "k"), ("q", "m", 1, "k"), ("q", "n.o")]
    assert [line_of(text, path) for path in paths] == [1, 2, 5, 6, 7, 7]
    assert [line_of(text, path) for path in [("t", 0, "k"), ("t", 1), ("t", 1, "s", "k")]] == [9, 10, 12]
    assert (line_of(text, ("t", 0, "lost")), line_of(text, ("lost",))) == (8, None)
