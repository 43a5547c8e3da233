"""Decoding from the state, in every architecture: the same as running the whole text again."""

from typing import Any

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.generation import DecodingSettings, Sample, decode, generate
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.contract import LanguageModel

VARIANTS = {
    "rnn": {"layers": 2, "width": 12},
    "gru": {"layers": 2, "width": 12, "initial_state": "trainable"},
    "lstm": {"layers": 2, "width": 12, "dropout": 0.5},
    "transformer": {"layers": 2, "width": 16, "heads": 2, "context": 8},
}


def small(name: str, **settings: Any) -> LanguageModel:
    chosen = architecture(name).Settings(**{**VARIANTS[name], **settings})
    model = build(chosen, 7, torch.Generator().manual_seed(1)).double()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(2)  # far from uniform, so that the past matters
    return model


@torch.no_grad()
def nats_in_one_pass(model: LanguageModel, prompt: list[int], sample: Sample) -> list[float]:
    model.eval()
    logits, _ = model(torch.tensor([[*prompt, *sample.ids]]))
    log_odds = logits.log_softmax(-1)[0, len(prompt) - 1 : -1]
    return [-float(row[index]) for row, index in zip(log_odds, sample.ids, strict=True)]


def test_every_listed_architecture_is_tried_here() -> None:
    assert VARIANTS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("prompt", ["c", "abacadaefg" * 3])
def test_decoding_from_the_state_equals_running_the_whole_prefix(name: str, prompt: str) -> None:
    model, tokenizer = small(name), CharTokenizer("abcdefg")
    samples = generate(model, tokenizer, prompt, DecodingSettings(length=16, count=3))
    samples += generate(model, tokenizer, prompt, DecodingSettings(length=16, greedy=True))
    ids = tokenizer.encode(prompt).tolist()
    for sample in samples:
        assert sample.nats == pytest.approx(nats_in_one_pass(model, ids, sample), abs=1e-9)
    assert len({tuple(sample.ids) for sample in samples}) == 4


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@pytest.mark.parametrize("prompt", ["ab", "abacadaefg" * 3])
def test_a_transformer_goes_on_past_its_context_with_any_positions(positions: str, prompt: str) -> None:
    model, tokenizer = small("transformer", positions=positions), CharTokenizer("abcdefg")
    [sample] = generate(model, tokenizer, prompt, DecodingSettings(length=16))
    model.eval()
    ids = tokenizer.encode(prompt).tolist()
    expected, state = [], None
    with torch.no_grad():
        logits, state = model(torch.tensor([ids]))
        for index in sample.ids:
            expected.append(-float(logits[0, -1].log_softmax(-1)[index]))
            logits, state = model(torch.tensor([[index]]), state)
    assert sample.nats == pytest.approx(expected, abs=1e-9)
    within = nats_in_one_pass(model, ids, sample)[: max(0, 8 - len(ids))]
    assert sample.nats[: len(within)] == pytest.approx(within, abs=1e-9)


@pytest.mark.parametrize("name", VARIANTS)
def test_several_samples_of_an_architecture_are_those_of_the_seeds_one_by_one(name: str) -> None:
    model, tokenizer = small(name), CharTokenizer("abcd", marks=(".pad", ".start", ".end"))
    together = generate(model, tokenizer, "ab", DecodingSettings(seed=3, count=5, length=40))
    alone = [generate(model, tokenizer, "ab", DecodingSettings(seed=seed, length=40))[0] for seed in range(3, 8)]
    assert [sample.ids for sample in together] == [sample.ids for sample in alone]
    assert len({len(sample.ids) for sample in together}) > 1  # some ended early, and left the batch


def test_a_prompt_can_be_an_array_of_any_unsigned_type() -> None:
    tokenizer = CharTokenizer("abcdefg")
    model = build("gru", 7, torch.Generator().manual_seed(0))
    tokens = list(decode(model, np.array([1, 2], dtype=np.uint8), DecodingSettings(length=3), tokenizer=tokenizer))
    assert len(tokens) == 3
