"""What one token owes, in the very window that it was written from."""

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import InputError
from glassloom.models import build, settings_of
from glassloom.models.contract import LanguageModel
from glassloom.views.attention import attention
from glassloom.views.attribution import attribution
from glassloom.views.debts import debts

LETTERS = CharTokenizer("abcdefgh")
IDS = torch.randint(8, (60,), generator=torch.Generator().manual_seed(3)).tolist()


def model_of(name: str, **settings: object) -> LanguageModel:
    model = build(settings_of(name)(width=16, layers=2, **settings), 8, torch.Generator().manual_seed(5))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # sharp, so that one window differs from another
    return model.eval()


def nats_in_one_pass(model: LanguageModel, ids: list[int]) -> float:
    with torch.inference_mode():
        logits, _ = model(torch.tensor([ids[:-1]]))
    return -float(logits[0, -1].double().log_softmax(-1)[ids[-1]])


MODELS = {
    "gru": {}, "lstm": {}, "rnn": {},
    "learned": {"positions": "learned", "context": 16, "heads": 2},
    "sinusoidal": {"positions": "sinusoidal", "context": 16, "heads": 2},
    "rotary": {"positions": "rotary", "context": 16, "heads": 2},
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("last", [1, 15, 16, 23, 24, 40, 59])
def test_the_token_costs_what_it_cost_when_it_was_written(name: str, last: int) -> None:
    model = model_of(name if name in ("gru", "lstm", "rnn") else "transformer", **MODELS[name])
    found = debts(model, IDS[: last + 1], back=12)
    assert found.nats == pytest.approx(nats_in_one_pass(model, IDS[: last + 1]), abs=1e-4)
    assert found.shares.sum() == pytest.approx(1)
    assert len(found.shares) == found.weights.shape[1] == last - found.first <= 12


def test_positions_of_a_table_are_explained_from_their_own_window() -> None:
    """A context of 16 begins anew at 8, 16, 24: the window of place 39 is 24 to 39, by hand."""
    model = model_of("transformer", **MODELS["learned"])
    found = debts(model, IDS[:41])
    assert found.first == 24
    seen = attention((model, LETTERS), IDS[24:40])
    np.testing.assert_allclose(found.weights, seen.weights[:, -1], atol=1e-6)
    owed = attribution((model, LETTERS), IDS[24:41], at=17)
    np.testing.assert_allclose(found.shares, owed.shares[0, :16], atol=1e-6)
    another = attribution((model, LETTERS), IDS[20:41], at=21)
    assert abs(found.nats - another.nats[0]) > 0.01, "in another window the token costs something else"


def test_what_lies_further_back_is_carried_and_not_asked() -> None:
    model = model_of("lstm")
    near, far = debts(model, IDS[:50], back=10), debts(model, IDS[:50], back=49)
    assert (near.first, far.first) == (39, 0)
    last = far.shares[-10:]
    np.testing.assert_allclose(near.shares, last / last.sum(), atol=1e-6)
    assert near.heads == ()


def test_a_first_token_owes_nothing() -> None:
    with pytest.raises(InputError, match="Nothing stands before"):
        debts(model_of("gru"), [1])
