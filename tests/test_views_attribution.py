"""What a token owes to earlier ones: against numerical gradients for every architecture, and where it is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from glassloom.errors import InputError, SettingError
from glassloom.generation import DecodingSettings, decode
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import probing
from glassloom.runs import load_run
from glassloom.views.attribution import attribution
from glassloom.views.choices import choices
from models_by_hand import LETTERS, copying, looking_back

TEXT = "ab !abcab"
KINDS = [
    ("rnn", {}), ("gru", {}), ("lstm", {}), ("gru", {"embedding": 0}), ("lstm", {"embedding": 0, "layers": 1}),
    ("transformer", {"heads": 2, "context": 32}),
    ("transformer", {"heads": 2, "context": 6, "positions": "learned"}),
]  # fmt: skip


def model(name: str, **settings: object) -> LanguageModel:
    made = architecture(name).Settings(**{"width": 8, "layers": 2, **settings})
    built = build(made, LETTERS.size, torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)).double())
    return built


def log_probability(seen: LanguageModel, ids: list[int], target: int, place: int, change: Tensor) -> float:
    """log p of the token at `target`, where `change` is added to the vector of the token at `place`, however often."""
    begun = [0]

    def push(name: str, value: Tensor) -> Tensor:
        if name != "embedding":
            return value
        start = begun[0] - seen.repeated
        begun[0] = start + value.shape[1]
        if not start <= place < begun[0]:
            return value
        moved = value.clone()
        moved[:, place - start] += change
        return moved

    with probing(seen, push), torch.no_grad():
        logits, _ = seen(torch.tensor([ids[:target]]))
    return float(logits[0, -1].log_softmax(-1)[ids[target]])


@pytest.mark.parametrize(("name", "settings"), KINDS)
def test_norms_and_products_are_those_of_numerical_gradients(name: str, settings: dict[str, object]) -> None:
    seen, ids, vectors = model(name, **settings), LETTERS.encode(TEXT).tolist(), {}

    def watch(label: str, value: Tensor) -> Tensor:
        if label == "embedding" and not vectors:
            vectors["first"] = value[0].detach()
        return value

    with probing(seen, watch), torch.no_grad():
        seen(torch.tensor([ids[:5]]))
    found = attribution((seen, LETTERS), TEXT)
    assert found.places == tuple(range(1, len(ids)))
    for row, place in ((0, 0), (3, 1), (7, 0), (7, 2), (7, 7)):
        target, width = found.places[row], vectors["first"].shape[-1]
        gradient = np.zeros(width)
        for entry in range(width):
            change = torch.zeros(width, dtype=torch.float64)
            change[entry] = 1e-5
            rise = log_probability(seen, ids, target, place, change) - log_probability(
                seen, ids, target, place, -change
            )
            gradient[entry] = rise / 2e-5
        assert found.norms[row, place] == pytest.approx(np.linalg.norm(gradient), rel=1e-5, abs=1e-9)
        if place < 5 and settings.get("positions") != "learned":  # there a window restarts, with other positions
            expected = float(gradient @ vectors["first"][place].numpy())
            assert found.products[row, place] == pytest.approx(expected, rel=1e-5, abs=1e-9)
    known = log_probability(seen, ids, 8, 0, torch.zeros(vectors["first"].shape[-1], dtype=torch.float64))
    assert found.nats[7] == pytest.approx(-known, rel=1e-12)


def test_what_comes_after_a_token_is_unknown_and_shares_sum_to_one() -> None:
    found = attribution((model("lstm"), LETTERS), TEXT)
    assert np.isnan(found.norms[np.triu_indices(8, 1, 9)]).all()
    np.testing.assert_allclose(np.nansum(found.shares, axis=1), 1)


def test_one_token_alone_has_the_row_that_it_has_among_all() -> None:
    seen = model("gru")
    whole, one = attribution((seen, LETTERS), TEXT), attribution((seen, LETTERS), TEXT, at=6)
    assert one.places == (5,)
    np.testing.assert_allclose(one.norms[0, :5], whole.norms[4, :5], rtol=1e-12)
    assert one.inputs == whole.inputs


def test_a_delay_line_owes_everything_to_the_token_that_it_repeats() -> None:
    """Log-odds of 2 against each of five others: along the token's own vector, the slope of log p is 2 (1 - p)."""
    found = attribution((copying(3, sure=2.0), LETTERS), "abcabca")
    sure = np.exp(2) / (np.exp(2) + 5)
    for row in range(3, 6):
        expected = np.zeros(found.places[row])
        expected[found.places[row] - 3] = 2 * (1 - sure)
        np.testing.assert_allclose(found.products[row, : found.places[row]], expected, atol=1e-12)


def test_a_head_that_looks_one_back_owes_to_the_token_there() -> None:
    found = attribution((looking_back(8, beta=6.0), LETTERS), "ab !abca")
    assert np.nanargmax(found.shares[5]) in (3, 4, 5)
    assert found.facts()["tokens"] == 7


def test_a_text_without_anything_to_predict_is_refused() -> None:
    with pytest.raises(InputError, match="only 1 token"):
        attribution((model("gru"), LETTERS), "a")
    with pytest.raises(SettingError, match="no token 1 "):
        attribution((model("gru"), LETTERS), TEXT, at=1)


def test_choices_are_what_the_decoder_says_of_its_tokens(trained: Path) -> None:
    run = load_run(trained)
    prompt = run.tokenizer.encode("The ").tolist()
    written = list(decode(run.model(), prompt, DecodingSettings(length=12, seed=3), tokenizer=run.tokenizer))
    ids = prompt + [token.id for token in written]
    for place in (4, 9, 15):
        found = choices(run, ids, place, top=5)
        assert found.taken is not None
        own, label, share, rank = found.taken
        assert own == ids[place]
        assert share == pytest.approx(np.exp(-written[place - 4].nats), rel=1e-4)
        assert label == run.tokenizer.labels()[own]
        assert list(found.shares) == sorted(found.shares, reverse=True)
        assert found.rest == pytest.approx(1 - sum(found.shares))
        assert rank > 5 or found.ids[rank - 1] == own
    assert choices(run, ids, len(ids)).taken is None
    with pytest.raises(SettingError):
        choices(run, ids, len(ids) + 1)
