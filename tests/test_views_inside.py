"""Every inner value one name away, values replaced while a model runs, and the logit lens."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import InputError, SettingError
from glassloom.exhibits import Matrices, Table
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import GLOSSARY, inner_value, recording
from glassloom.models.replacing import replacing
from glassloom.runs import load_run
from glassloom.runs.inside import look_inside
from glassloom.views.probabilities import probabilities
from models_by_hand import LETTERS, copying, looking_back

TEXT = "ab !abca"


def model(name: str, **settings: object) -> LanguageModel:
    more = {"heads": 2, "context": 16} if name == "transformer" else {}
    made = architecture(name).Settings(**{"width": 8, "layers": 2, **more, **settings})
    return build(made, LETTERS.size, torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
def test_every_inner_value_has_its_name_and_its_axes(name: str) -> None:
    seen = model(name)
    found = look_inside(seen, LETTERS, TEXT)
    with recording(seen) as values:
        logits = seen(torch.tensor([LETTERS.encode(TEXT).tolist()]))[0]
    assert set(found) == {*values, "logits"}
    assert found.labels == ("a", "b", "␣", "!", "a", "b", "c", "a")
    sizes = {"time": 8, "width": 8, "heads": 2, "head": 4, "keys": 8, "inner": 32, "vocab": 6}
    for name, value in found.items():
        assert value.shape == tuple(sizes[axis] for axis in found.axes(name)), name
        if name != "logits":
            assert ("batch", *found.axes(name)) == tuple(inner_value(name).axes.split())
            np.testing.assert_array_equal(value, values[name][0].detach().numpy())
    np.testing.assert_array_equal(found["logits"], logits[0].detach().numpy())
    with pytest.raises(SettingError, match=r"layers\.0"):
        found["layers.0.hiden"]
    assert found.get("layers.7.hidden") is None


def test_a_run_shows_its_inside_and_begins_a_sequence_at_its_start(trained: Path) -> None:
    run = load_run(trained)
    found = run.inside("The")
    width = run.config.model.width
    assert found["layers.0.gate.reset"].shape == (3, width)
    assert 0 < found["layers.0.gate.reset"].min() < found["layers.0.gate.reset"].max() < 1
    marked = CharTokenizer("ab", [".start", ".end"])
    begun = look_inside(model("gru").__class__(model("gru").settings, marked.size), marked, "ab")
    assert begun.labels == (".start", "a", "b")
    with pytest.raises(InputError, match="no text"):
        run.inside("")


def test_a_replaced_value_is_met_by_what_follows_it() -> None:
    """In h_t = relu(delay line) the last block set to a letter is what the model then says."""
    delay = copying(2)
    plain = look_inside(delay, LETTERS, "abab")["logits"]
    one = np.full((4, 12), np.nan)
    one[1] = [0, 0, 0, 0, 0, 1, *[0] * 6]  # after step 2 the first block holds "c", the second nothing
    found = look_inside(delay, LETTERS, "abab", {"layers.0.hidden": one})
    np.testing.assert_allclose(found["logits"][0], plain[0])
    assert found["logits"][1].tolist() == [0.0] * 6
    assert found["logits"][2].tolist() == [0, 0, 0, 0, 0, 12], "one step later c is two back"
    np.testing.assert_allclose(found["logits"][3], plain[3])
    assert found["layers.0.hidden"][1].tolist() == one[1].tolist(), "what is recorded is what was put there"


def test_values_are_replaced_by_numbers_arrays_and_functions() -> None:
    seen = model("transformer")
    plain = look_inside(seen, LETTERS, TEXT)
    for name in ("layers.0.attention.0.mixed", "layers.1.feedforward", "layers.0.attention.0.weights"):
        by_number = look_inside(seen, LETTERS, TEXT, {name: 0.0})["logits"]
        by_array = look_inside(seen, LETTERS, TEXT, {name: np.zeros_like(plain[name])})["logits"]
        by_function = look_inside(seen, LETTERS, TEXT, {name: lambda value, begin: value * 0})["logits"]
        np.testing.assert_array_equal(by_number, by_array)
        np.testing.assert_array_equal(by_number, by_function)
        assert np.abs(by_number - plain["logits"]).max() > 1e-6
        itself = look_inside(seen, LETTERS, TEXT, {name: plain[name]})["logits"]
        np.testing.assert_allclose(itself, plain["logits"], rtol=1e-12)
    assert seen.probe is None


def test_a_change_is_told_at_which_step_its_piece_begins() -> None:
    begins: dict[str, list[int]] = {}

    def keep(value: torch.Tensor, begin: int) -> torch.Tensor:
        begins.setdefault("seen", []).append(begin)
        return value

    look_inside(model("lstm"), LETTERS, TEXT, {"layers.1.cell": keep})
    assert begins["seen"] == list(range(8))
    begins.clear()
    look_inside(model("transformer", context=4, positions="learned"), LETTERS, TEXT, {"layers.0.residual": keep})
    assert begins["seen"] == [0, 2, 4], "where a window restarts, its first half is seen again"


def test_what_cannot_be_replaced_is_refused() -> None:
    seen = model("gru")
    with pytest.raises(SettingError, match=r"layers\.0\.gate\.reset"):
        look_inside(seen, LETTERS, TEXT, {"layers.0.gate.rest": 0.0})
    with pytest.raises(SettingError, match="shape"):
        look_inside(seen, LETTERS, TEXT, {"layers.0.hidden": np.zeros((3, 8))})
    assert seen.probe is None
    with replacing(seen, {}):
        assert seen.probe is None


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
def test_the_lens_of_the_last_layer_is_the_model_itself(name: str) -> None:
    found = probabilities((model(name), LETTERS), TEXT, top=0)
    inner = "residual" if name == "transformer" else "hidden"
    first = ["embedding"] if name == "transformer" else []
    assert found.layers == (*first, f"layers.0.{inner}", f"layers.1.{inner}", "output")
    np.testing.assert_allclose(found.shares[-2], found.shares[-1], rtol=1e-12)
    np.testing.assert_allclose(found.divergence[-2:], 0, atol=1e-12)
    assert found.divergence[-3].min() > 0
    assert found.tokens[-2] == found.tokens[-1]
    np.testing.assert_allclose(found.shares.sum(-1), 1)
    logits = look_inside(model(name), LETTERS, TEXT)["logits"]
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(found.shares[-1], -np.sort(-shares, axis=-1))
    entropy = -(shares * np.log2(shares)).sum(-1)
    np.testing.assert_allclose(found.entropy[-1], entropy)


def test_after_a_prefix_the_copied_token_is_expected() -> None:
    found = probabilities((copying(2), LETTERS), "abc", top=1)
    assert [row[0] for row in found.tokens[-1][1:]] == ["a", "b"]
    assert found.shares[-1, 2, 0] == pytest.approx(np.exp(12) / (np.exp(12) + 5))
    assert np.isnan(found.next_bits[-1, 2])
    assert found.next_bits[-1, 1] == pytest.approx(np.log2(np.exp(12) + 5)), "c is no copy"
    one_back = probabilities((looking_back(8), LETTERS), "ab !", top=1)
    assert [row[0] for row in one_back.tokens[-1][1:]] == ["a", "b", "␣"]
    assert one_back.divergence[0, 2] > 1e-3, "the embedding does not know it yet"


def test_a_layer_of_another_width_is_left_out_and_said() -> None:
    settings = architecture("gru").Settings(widths=(4, 8))
    found = probabilities((build(settings, LETTERS.size), LETTERS), TEXT)
    assert found.layers == ("layers.1.hidden", "output")
    assert found.without == ("layers.0.hidden",)
    assert found.facts()["layers that the output cannot read"] == ["layers.0.hidden"]
    tables = [exhibit for exhibit in found.exhibits() if isinstance(exhibit, Table)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert isinstance(found.exhibits()[-1], Matrices)


def test_the_documentation_names_every_inner_value() -> None:
    page = (Path(__file__).parent.parent / "docs" / "views.md").read_text(encoding="utf-8")
    for name, value in GLOSSARY.items():
        assert f"| `{name}` | {' '.join(value.axes.split()[1:])} |" in page, name
