"""What packages add: found by entry points, left out with a sentence where it cannot be used, never in the way."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import glassloom
from commands import Commands
from glassloom.config import Config, all_settings
from glassloom.config.fields import TAKEN
from glassloom.data import DataSettings, load_corpus, load_text
from glassloom.doctor.additions import Check
from glassloom.doctor.explain import names, page
from glassloom.doctor.ranking import ranked
from glassloom.errors import Notice, SettingError
from glassloom.extending import CATALOGUES, catalogue
from glassloom.models import ARCHITECTURES
from glassloom.models.gradients import check_gradients
from glassloom.models.gru import GRU
from glassloom.models.settings import GRUSettings
from glassloom.plugins import Catalogue
from glassloom.testing import check_architecture, check_language, check_tokenizer, check_view
from glassloom.views.catalogue import VIEWS
from outsiders import named

Installed = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    """`install("package", {"glassloom.views": {"name": "module:thing"}}, module="...")`, until the test ends."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, points: dict[str, dict[str, str]], **files: str) -> None:
        named(tmp_path, package, points, **files)
        forget()

    yield installed
    monkeypatch.undo()
    forget()


def forget() -> None:
    for kind in CATALOGUES:
        catalogue(kind).look_again()


@pytest.fixture
def adding() -> Iterator[None]:
    """What `glassloom.add` adds is there until the test ends."""
    yield
    forget()


LANGUAGE = """
from glassloom.extending import END, Language

class Ones(Language):
    name, definition = "ones", "any number of 1"
    def begin(self):
        return 0
    def following(self, state):
        return {END: (0.5, state), "1": (0.5, state)}
"""


def test_an_entry_point_is_found_imported_when_it_is_asked_for_and_says_whose_it_is(install: Installed) -> None:
    install("numbers-of-one", {"glassloom.languages": {"ones": "ones_module:Ones"}}, ones_module=LANGUAGE)
    languages = catalogue("language")
    assert list(languages)[-1] == "ones"
    assert "ones" not in languages.own
    assert languages.owner("ones") == "numbers-of-one 1.2"
    assert languages["ones"].entropy_nats == pytest.approx(2 * torch.tensor(2.0).log().item())
    assert load_corpus("ones", DataSettings(samples=20)).describe()["language"] == "ones"


def test_what_is_broken_is_left_out_with_one_sentence_and_the_rest_goes_on(install: Installed) -> None:
    install(
        "half-broken",
        {
            "glassloom.languages": {
                "absent": "no_such_module_here:Thing",
                "crash": "crashing:Thing",
                "leaving": "leaving:Thing",
                "number": "good_module:NUMBER",
                "ones": "good_module:Ones",
                "Other Name": "good_module:Ones",
            }
        },
        crashing="raise ValueError('this file\\nis broken')\n",
        leaving="import sys\nsys.exit(3)\n",
        good_module=LANGUAGE + "NUMBER = 3\n",
    )
    with pytest.warns(Notice) as told:
        found = list(catalogue("language"))
    assert found[-1] == "ones"
    assert {"absent", "crash", "leaving", "number"}.isdisjoint(found)
    said = {str(one.message) for one in told}
    of = "of half-broken 1.2 cannot be used and is left out:"
    assert said == {
        f"The language absent {of} ModuleNotFoundError: No module named 'no_such_module_here'",
        f"The language crash {of} ValueError: this file",
        f"The language leaving {of} SystemExit: 3",
        f"The language number {of} 3 is no Language, nor a subclass of it",
        "'Other Name' cannot be the name of a language. What half-broken 1.2 adds under it is left out.",
    }


def test_a_name_that_is_taken_stays_its_owners(install: Installed, tmp_path: Path) -> None:
    text = LANGUAGE.replace('"ones"', '"ndfa"')
    install("bold", {"glassloom.languages": {"ndfa": "bold_module:Ones"}}, bold_module=text)
    with pytest.warns(Notice, match="The name ndfa is taken: Glassloom has a language of that name. What bold 1.2"):
        assert list(catalogue("language")) == list(catalogue("language").own)
    assert catalogue("language")["ndfa"].entropy_nats == pytest.approx(3.0733, abs=1e-4)
    (tmp_path / "bold-1.2.dist-info" / "entry_points.txt").unlink()
    text = LANGUAGE.replace("any number", "some number")
    install("alpha", {"glassloom.languages": {"ones": "alpha_module:Ones"}}, alpha_module=text)
    install("beta", {"glassloom.languages": {"ones": "beta_module:Ones"}}, beta_module=LANGUAGE)
    with pytest.warns(Notice, match=r"The name ones is taken: alpha 1.2 has a language .* beta 1.2"):
        assert catalogue("language")["ones"].definition == "some number of 1"


def test_a_command_goes_on_beside_a_broken_package_and_says_so_in_a_line(
    install: Installed, commands: Commands
) -> None:
    install("sad", {"glassloom.views": {"sad": "sad_module:view"}}, sad_module="def view(source, text): ...\n")
    outcome = commands.done("view", "--list-views")
    assert "surprise" in outcome.out
    assert "sad" not in outcome.out
    assert outcome.notices == [
        "notice: The view sad of sad 1.2 cannot be used and is left out: "
        "view has no docstring that says what it answers"
    ]


def model_class(architecture: str, **fields: Any) -> type[GRU]:
    """A GRU under another name, its settings with more fields."""
    from pydantic import Field

    annotations = {name: kind for name, (kind, _) in fields.items()}
    values = {name: Field(default, description="Something.") for name, (_, default) in fields.items()}
    body = {"architecture": architecture, "__annotations__": annotations, "__module__": __name__, **values}
    settings = type("OwnSettings", (GRUSettings,), body)
    return type("Own", (GRU,), {"Settings": settings})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"lr": (float, 0.1)}, "its setting lr is called like one of text or training"),
        ({"resume": (bool, False)}, "its setting resume is called like one of text or training"),
        ({"pairs": (dict, {})}, "its setting pairs is of a type that a flag cannot have"),
        ({"tied": (str, "no")}, "its setting tied is a switch in one architecture and none in another"),
    ],
)
def test_settings_that_cannot_be_flags_leave_the_architecture_out(
    adding: None, fields: dict[str, Any], why: str
) -> None:
    glassloom.add("architecture", "own", model_class("own", **fields))
    with pytest.warns(Notice, match=f"The architecture own of glassloom.add is left out: {why}"):
        settings = list(all_settings())
    assert "own" not in ARCHITECTURES
    assert {one.name for one in settings} >= {"lr", "tied"}


def test_what_is_added_here_can_be_added_again_but_nothing_else_replaced(adding: None) -> None:
    first, second = model_class("own"), model_class("own")
    glassloom.add("architecture", "own", first)
    glassloom.add("architecture", "own", second)
    assert ARCHITECTURES["own"][0] is second
    assert Config.from_flat({"model": "own", "width": 8}).model.width == 8
    assert list(all_settings())[-1].by_architecture["own"].default is not None
    with pytest.raises(SettingError, match="The name gru is taken: Glassloom has an architecture of that name"):
        glassloom.add("architecture", "gru", first)
    with pytest.raises(SettingError, match="did you mean view"):
        glassloom.add("viwe", "own", first)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match=r"is added by glassloom.add, .*check_architecture\('own'\)"):
        check_gradients(["own"])


@pytest.mark.parametrize(
    ("kind", "thing", "why"),
    [
        ("architecture", GRUSettings, "is no subclass of LanguageModel"),
        ("architecture", model_class("other"), "OwnSettings.architecture is not 'own'"),
        ("tokenizer", GRU, "is no subclass of Tokenizer"),
        ("language", 3, "is no Language"),
        ("view", GRU, "is no function"),
        ("view", lambda source, text, more: None, r"does not take \(source, text, \*, options\)"),
        ("check", print, "is no Check"),
        ("check", Check(title="T", severity="note", means="M.", fix="F."), "measures neither a model nor a run"),
    ],
)
def test_what_is_not_of_its_kind_is_refused(adding: None, kind: Any, thing: Any, why: str) -> None:
    with pytest.raises(SettingError, match=f"This cannot be the {kind} own: .*{why}"):
        glassloom.add(kind, "own", thing)
    assert "own" not in catalogue(kind)


def test_a_views_signature_says_how_much_text_it_takes(adding: None) -> None:
    def none(source, *, top=3):
        """Nothing."""

    def optional(source, text=None):
        """Something. And more."""

    glassloom.add("view", "none", none)
    glassloom.add("view", "optional", optional)
    assert [(VIEWS[name].text, VIEWS[name].about, VIEWS[name].options()) for name in ("none", "optional")] == [
        ("none", "nothing", ("top",)),
        ("optional", "something. And more", ()),
    ]


class Doubled(torch.nn.Module):
    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(vocabulary, 8)
        self.mix = torch.nn.GRU(8, 8, batch_first=True)
        self.out = torch.nn.Linear(8, vocabulary)

    def forward(self, tokens):
        return self.out(self.mix(self.table(tokens))[0])


def test_a_check_of_ones_own_looks_at_a_model_and_what_it_raises_is_its_own_fault(adding: None) -> None:
    from glassloom.doctor import examine

    def few(model, tokens):
        assert not model.training
        assert tokens.dtype == torch.int64
        return {"parameters": sum(one.numel() for one in model.parameters()), "rows": len(tokens)}

    def broken(model, tokens):
        raise ZeroDivisionError("by hand")

    words = {"title": "Few", "severity": "serious", "means": "There are few.", "fix": "Take more."}
    glassloom.add("check", "few-parameters", Check(**words, of_model=few, page="# few\n"))
    glassloom.add("check", "broken-check", Check(**words, of_model=broken))
    glassloom.add("check", "silent", Check(**words, of_model=lambda model, tokens: None))
    found = examine(Doubled, trials=False)
    assert found.names[-1] == "few-parameters"
    assert found.findings[-1].evidence["parameters"] == 37 * 8 + 3 * (2 * 8 * 8 + 2 * 8) + 37 * 8 + 37
    assert [line for line in found.measured["not_measured"] if "ZeroDivisionError" in line] == [
        "broken-check, which a package adds: ZeroDivisionError: by hand"
    ]
    assert ranked([found.findings[-1]])[0].severity == "serious"
    assert (page("few-parameters"), names()["few-parameters"].title) == ("# few\n", "Few")
    assert "Take more." in page("silent")


def test_a_prepared_text_is_prepared_anew_where_the_code_of_an_added_tokenizer_changed(
    install: Installed, tmp_path: Path
) -> None:
    text = """
from glassloom.data.tokenizers import CharTokenizer

class Turned(CharTokenizer):
    kind = "turned"
    def __init__(self, symbols, marks=()):
        super().__init__(symbols, marks)
        self.name = "turned"
    def encode(self, text):
        return SIZE - super().encode(text)
"""
    words = "abcabcabc" * 9
    ids = []
    for number, size in enumerate(("3", "2")):
        source = text.replace("SIZE", size)
        install(
            f"turn{number}",
            {"glassloom.tokenizers": {"turned": f"turned{number}:Turned"}},
            **{f"turned{number}": source},
        )
        ids.append(load_text(words, DataSettings(tokenizer="turned", split="50,50")).train.ids[:3].tolist())
        (tmp_path / f"turn{number}-1.2.dist-info" / "entry_points.txt").unlink()
    assert ids == [[3, 2, 1], [2, 1, 0]]


def test_the_options_of_commands_cannot_be_settings() -> None:
    from glassloom.cli.compare import compare
    from glassloom.cli.train import train

    options = {name for command in (train, compare) for name in inspect.signature(command).parameters}
    assert options - {"settings"} <= TAKEN


def test_every_listed_thing_keeps_the_contract_that_outsiders_are_held_to() -> None:
    for name in ("rnn", "transformer"):
        check_architecture(name, width=16, layers=1)
    for name in catalogue("tokenizer"):
        check_tokenizer("bpe:260" if name == "bpe" else name)
    for name in ("ndfa", "brackets", "toy"):
        check_language(name)
    check_view("surprise")


def test_what_does_not_keep_its_contract_is_told_fault_by_fault(adding: None) -> None:
    class Forgetful(model_class("forgetful")):  # type: ignore[misc]
        def hidden(self, tokens, state=None):
            hidden, state = super().hidden(tokens)
            return hidden + hidden.roll(-1, 1), state

        def gate_counts(self):
            return {"nothing": 2}

    glassloom.add("architecture", "forgetful", Forgetful)
    with pytest.raises(AssertionError) as told:
        check_architecture("forgetful", width=12)
    faults = str(told.value).splitlines()
    assert faults[0] == "The architecture forgetful does not keep its contract:"
    assert [line.strip().split(":")[0] for line in faults[1:]] == ["pieces", "future-leak", "gate_counts"]

    class Wrong(type(catalogue("language")["ndfa"])):  # type: ignore[misc]
        name, entropy_nats = "wrong", 3.2

    glassloom.add("language", "wrong", Wrong)
    with pytest.raises(AssertionError, match="surprise and entropy agree"):
        check_language("wrong")


def test_a_catalogue_is_read_like_a_dict() -> None:
    numbers: Catalogue[int] = Catalogue("number", {"one": 1, "two": 2}, lambda name, what: int(what))
    assert (list(numbers), len(numbers), "one" in numbers, "three" in numbers, dict(numbers)) == (
        ["one", "two"],
        2,
        True,
        False,
        {"one": 1, "two": 2},
    )
    with pytest.raises(KeyError):
        numbers["three"]
