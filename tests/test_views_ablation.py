"""Parts switched off, values carried from one text to another, and writing with values held."""

import math

import numpy as np
import pytest
import torch

from glassloom.errors import InputError, SettingError
from glassloom.exhibits import Bars, Matrices, Table, Texts
from glassloom.generation import DecodingSettings, generate
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.runs.inside import look_inside
from glassloom.views.ablation import ablate
from glassloom.views.patching import patch
from glassloom.views.steering import held_values, steer
from glassloom.views.surprise import surprise
from models_by_hand import LETTERS, copying, looking_back

TEXT = "ab !abcab ca"


def model(name: str, **settings: object) -> LanguageModel:
    more = {"heads": 2, "context": 16, "feedforward": 5} if name == "transformer" else {}
    made = architecture(name).Settings(**{"width": 8, "layers": 2, **more, **settings})
    built = build(made, LETTERS.size, torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.mul_(3.0)  # so that every part matters
    return built


def bits_of(logits: np.ndarray, text: str) -> float:
    """The mean bits of a text's tokens, its first one given."""
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ids = LETTERS.encode(text)[1:]
    return float(-logs[np.arange(len(ids)), ids].mean() / math.log(2))


def test_the_one_head_that_matters_ranks_first() -> None:
    found = ablate((looking_back(8, heads=2), LETTERS), "abababab", kinds=["head"], by="zero")
    assert [part.name for part in found.parts] == ["layers.0.attention.0.mixed:0", "layers.0.attention.0.mixed:1"]
    assert found.bits[0] == pytest.approx(math.log2(6)), "without it nothing is known"
    assert found.bits[1] == pytest.approx(found.plain, abs=1e-12), "the other one does nothing"
    assert found.plain == pytest.approx(surprise((looking_back(8, heads=2), LETTERS), "abababab").mean_bits)
    assert found.plain < 2
    mean = ablate((looking_back(8, heads=2), LETTERS), "abababab", kinds=["head"])
    assert mean.parts[0].entry == 0
    assert mean.bits[0] > mean.plain


@pytest.mark.parametrize("by", ["zero", "mean"])
@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
def test_each_part_costs_what_it_costs_alone(name: str, by: str) -> None:
    made = model(name)
    found = ablate((made, LETTERS), TEXT, by=by)
    plain = look_inside(made, LETTERS, TEXT)
    assert found.plain == pytest.approx(bits_of(plain["logits"], TEXT))
    counts = {kind: sum(part.kind == kind for part in found.parts) for kind in {part.kind for part in found.parts}}
    assert (
        counts
        == {
            "rnn": {"layer": 2, "unit": 16},
            "gru": {"layer": 2, "gate": 4, "unit": 16},
            "lstm": {"layer": 2, "gate": 6, "unit": 16},
            "transformer": {"head": 4, "attention": 2, "feedforward": 2, "layer": 2, "unit": 10},
        }[name]
    )
    for part, bits in zip(found.parts, found.bits, strict=True):
        replace = {}
        for value in part.values:
            off = np.zeros_like(plain[value])
            if by == "mean":
                off = off + plain[value].mean(-2, keepdims=True)
            if part.entry is not None:
                kept = np.full_like(off, np.nan)
                at = (part.entry,) if off.ndim == 3 else (..., part.entry)
                kept[at] = off[at]
                off = kept
            replace[value] = off
        expected = bits_of(look_inside(made, LETTERS, TEXT, replace)["logits"], TEXT)
        assert bits == pytest.approx(expected, rel=1e-9), part.name
    assert (np.diff(found.bits) <= 0).all()


def test_it_is_shown_and_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ablate((model("gru"), LETTERS), TEXT, top=3)
    bars, table = found.exhibits()
    assert isinstance(bars, Bars)
    assert len(bars.bars) == 3
    assert isinstance(table, Table)
    assert len(table.rows) == 22
    assert table.rows[0][4] == pytest.approx(found.bits[0] - found.plain)
    with pytest.raises(SettingError, match="did you mean head"):
        ablate((model("gru"), LETTERS), TEXT, kinds=["heads"])
    with pytest.raises(SettingError, match="gru has no head"):
        ablate((model("gru"), LETTERS), TEXT, kinds=["head"])
    with pytest.raises(SettingError, match="by half"):
        ablate((model("gru"), LETTERS), TEXT, by="half")
    monkeypatch.setattr("glassloom.views.ablation.MOST_UNITS", 15)
    assert ablate((model("gru"), LETTERS), TEXT).left_out == {"unit": 16}
    assert len(ablate((model("gru"), LETTERS), TEXT, kinds=["unit"]).parts) == 16


def test_a_patch_works_from_the_place_on_where_the_texts_differ() -> None:
    """The delay line of two says the token two back: what differs is in its state from that token on."""
    found = patch((copying(2), LETTERS), "a!ab!", other="a!ac!")
    assert (found.towards, found.against) == ("b", "c")
    assert found.values == ("embedding", "layers.0.hidden"), "its columns for one-hot tokens, and its state"
    np.testing.assert_allclose(found.effect, [[0, 0, 0, 1, 0], [0, 0, 0, 1, 1]], atol=1e-12)
    assert found.log_odds == (pytest.approx(12.0), pytest.approx(-12.0))
    assert found.places()[3] == "c → b"
    head = patch((looking_back(8), LETTERS), "a!ab!", other="a!ac!")
    effect = dict(zip(head.values, head.effect, strict=True))
    np.testing.assert_allclose(effect["embedding"], [0, 0, 0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(effect["layers.0.attention.0"], [0, 0, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(effect["layers.0.residual"], [0, 0, 0, 0, 1], atol=1e-9)
    [exhibit] = head.exhibits()
    assert isinstance(exhibit, Matrices)


def test_texts_that_cannot_be_told_apart_are_refused() -> None:
    with pytest.raises(InputError, match="the other 2"):
        patch((copying(2), LETTERS), "abc", other="ab")
    with pytest.raises(InputError, match="same prediction"):
        patch((copying(2), LETTERS), "abc", other="!bc")


def test_writing_with_a_value_held_is_what_the_value_says() -> None:
    """The last block of the delay line is what is said: held at one letter, it says that letter for ever."""
    place = 6 + int(LETTERS.encode("c")[0])
    found = steer((copying(2), LETTERS), "ab", changes=[f"layers.0.hidden:{place}=9"], length=6, temperature=0)
    assert found.plain.text == "ababab"
    assert found.changed.text == "cccccc"
    assert found.facts()["tokens alike at the beginning"] == 0
    off = steer((copying(2), LETTERS), "ab", changes=["layers.0.hidden=off"], length=3, temperature=0)
    assert [round(each, 9) for each in off.changed.nats] == [round(math.log(6), 9)] * 3
    assert off.plain.text == "aba"
    [texts] = found.exhibits()
    assert isinstance(texts, Texts)
    arrays = {array.name: array for array in found.arrays()}
    assert arrays["changed"].labels["token changed"] == ("c",) * 6


def test_a_head_is_removed_by_its_number_and_the_plain_text_is_the_model_s_own() -> None:
    made = (looking_back(16, heads=2), LETTERS)
    without = steer(made, "ab", changes=["layers.0.attention.0.mixed:0=off"], length=4, temperature=0)
    assert without.plain.text == "abab"
    assert without.changed.text == "\n\n\n\n", "all are as probable: the first id"
    idle = steer(made, "ab", changes=["layers.0.attention.0.mixed:1=off"], length=4, temperature=0)
    assert idle.changed.text == "abab"
    single = model("lstm").float()
    settings = DecodingSettings(length=10, temperature=0.7, seed=3)
    [own] = generate(single, LETTERS, "ab", settings)
    found = steer((single, LETTERS), "ab", changes=["layers.1.cell:0=0"], length=10, temperature=0.7, seed=3)
    assert found.plain.text == own.text
    assert single.probe is None


@pytest.mark.parametrize("written", ["layers.0.hidden", "layers.0.hidden:a=1", "=1", "layers.0.hidden=1.2.3"])
def test_a_change_that_cannot_be_read_is_refused(written: str) -> None:
    with pytest.raises(SettingError, match="no change"):
        held_values([written])


def test_a_change_of_what_is_not_there_is_refused() -> None:
    for change, said in (("layers.0.hiden=1", "no inner value"), ("layers.0.hidden:99=1", "no entry 99")):
        with pytest.raises(SettingError, match=said):
            steer((copying(2), LETTERS), "ab", changes=[change], length=2)
    with pytest.raises(SettingError, match="Nothing"):
        steer((copying(2), LETTERS), "ab", changes=[])
