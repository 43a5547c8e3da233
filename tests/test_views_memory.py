"""Effective context, on models that remember exactly so far, and for every architecture alike."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import InputError, SettingError, TokenizerError
from glassloom.exhibits import Lines, Table
from glassloom.models import architecture, build
from glassloom.runs import Run
from glassloom.views.catalogue import look
from glassloom.views.memory import memory
from models_by_hand import LETTERS, copying, looking_back

LOW = np.log2(1 + 5 * np.exp(-12))
"""The bits of a token that a copying model knows."""


def copies(lag: int, length: int = 60) -> str:
    """A text in which every token is the one so many places before it."""
    letters = np.random.default_rng(3).choice(list("ab !c"), lag)
    return "".join(letters[place % lag] for place in range(length))


@pytest.mark.parametrize("lag", [1, 3, 7])
def test_the_memory_of_a_lag_k_copy_language_is_exactly_k(lag: int) -> None:
    text = copies(lag) if lag > 1 else "a" * 30 + "b" * 30
    found = memory((copying(lag), LETTERS), text, context=12).models["rnn"]
    assert found.reach == lag
    felt = np.flatnonzero(found.changed > 1e-12) + 1
    assert felt.tolist() == [lag]
    assert found.changed[lag - 1] == pytest.approx(12 * (np.exp(12) - 1) / (np.exp(12) + 5) / np.log(2))
    if lag > 1:
        assert found.enough == lag
        np.testing.assert_allclose(found.loss[1:lag], np.log2(6))
        np.testing.assert_allclose(found.loss[lag:], LOW, rtol=1e-6)
        assert found.saved[lag - 1] == pytest.approx(np.log2(6) - LOW)
    assert np.isnan(found.loss[0])
    assert found.tokens == len(text) - 12


def test_a_transformer_that_looks_back_is_measured_on_the_same_axes() -> None:
    text = copies(3, 30)
    both = memory((looking_back(40, lag=2), LETTERS), text, context=8, beside=[(copying(3), LETTERS)])
    transformer, rnn = both.models["transformer"], both.models["rnn"]
    assert transformer.reach == rnn.reach == 3
    assert transformer.changed.shape == rnn.changed.shape == (8,)
    arrays = {array.name: array for array in both.arrays()}
    assert arrays["loss"].values.shape == (2, 9)
    assert arrays["loss"].labels["model"] == ("transformer", "rnn")
    assert arrays["changed"].labels["distance"][0] == "1"


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_each_number_is_what_a_slow_loop_gives(name: str) -> None:
    more = {"heads": 2, "context": 64} if name == "transformer" else {}
    settings = architecture(name).Settings(layers=1, width=8, **more)
    model = build(settings, LETTERS.size, torch.Generator().manual_seed(1)).double().eval()
    text = copies(5, 24)
    found = memory((model, LETTERS), text, context=6).models[name]
    ids = torch.tensor(LETTERS.encode(text).tolist())

    @torch.no_grad()
    def logs(tokens: torch.Tensor) -> torch.Tensor:
        return model(tokens[None])[0][0].log_softmax(-1)

    for context in range(1, 7):
        bits = [-logs(ids[place - context : place])[-1, ids[place]].item() / np.log(2) for place in range(6, 24)]
        assert found.loss[context] == pytest.approx(np.mean(bits), rel=1e-9)
    assert found.tokens == 18
    assert (found.changed > 0).all()
    again = memory((model, LETTERS), text, context=6).models[name]
    np.testing.assert_array_equal(found.changed, again.changed)


def test_a_sequence_may_be_predicted_without_any_context() -> None:
    marked = CharTokenizer("ab", [".start", ".end"])
    settings = architecture("gru").Settings(layers=1, width=8)
    model = build(settings, marked.size, torch.Generator().manual_seed(1)).double().eval()
    text = "abba" * 6
    found = memory((model, marked), text, context=4).models["gru"]
    with torch.no_grad():
        alone = model(torch.tensor([[marked.specials[".start"]]]))[0][0, 0].log_softmax(-1).numpy()
    ids = marked.encode(text)[4:]
    assert found.loss[0] == pytest.approx(-alone[ids].mean() / np.log(2))


def test_it_is_shown_and_refused_in_words() -> None:
    found = memory((copying(2), LETTERS), copies(2), context=5)
    changed, loss, saved, table = found.exhibits()
    assert isinstance(changed, Lines)
    assert changed.series[0].x[0] == 1
    assert changed.series[0].y[1] is not None
    assert changed.series[0].y[0] is None
    assert isinstance(loss, Lines)
    assert loss.series[0].x[0] == 0
    assert isinstance(saved, Lines)
    assert isinstance(table, Table)
    assert table.rows[0][:3] == ("rnn", 2, 2)
    with pytest.raises(SettingError, match="context of 99"):
        memory((copying(2), LETTERS), copies(2), context=99)
    with pytest.raises(InputError, match="the same"):
        memory((copying(2), LETTERS), "aaaaaaaa")
    with pytest.raises(InputError, match="only 2 tokens"):
        memory((copying(2), LETTERS), "ab")


def test_beside_a_run_whose_tokenizer_is_another_the_text_is_handed_on_and_not_its_ids(trained: Path) -> None:
    run = Run(trained)
    other = CharTokenizer("abc")
    model = build(architecture("gru").Settings(width=4, layers=1), other.size)
    with pytest.raises(TokenizerError, match="The text holds"):
        look(run, "memory", beside=[(model, other)])
    same = look(run, "memory", beside=[(run.model(), run.tokenizer)], context=4)
    assert same.view == "memory"
