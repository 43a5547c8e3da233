"""Decoding by a plan, compiled and in NumPy: the same logits, the same tokens and the same distribution as torch's."""

import itertools
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import GlassloomError
from glassloom.generation import DecodingSettings, Sample, Stream, generate
from glassloom.generation.choosing import draw, shaped
from glassloom.generation.ready import decoder_of
from glassloom.kernels import decoders, native, native_decoder
from glassloom.kernels.decoders import Decoder
from glassloom.kernels.native import Cell
from glassloom.kernels.native_decoder import NativeRow
from glassloom.kernels.plan import Choice, Map, RecurrentLayerPlan, RecurrentPlan, Row
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import probing
from sanitizers import INSTRUCTIONS, run_driver

SETS = list(native.LIBRARY.sets) if native_decoder.SERVES and native.LIBRARY else []
WAYS = ["numpy", *SETS]
FALSE_ALARM = 1e-6
"""Odds that a chi-square test fails though all is well. (The seeds are fixed: it either always fails or never.)"""

RECURRENT: dict[str, dict[str, Any]] = {
    "deep": {"layers": 3, "width": 20},
    "unlike widths": {"widths": (13, 40, 7), "embedding": 5},
    "one-hot, two biases": {"layers": 1, "width": 33, "embedding": 0, "bias": "two", "initial_state": "trainable"},
    "tied": {"layers": 2, "width": 9, "tied": True, "embedding_bias": True, "dropout": 0.3},
    "of width 1": {"layers": 2, "width": 1},
}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "learned": {"positions": "learned", "context": 7},
    "sinusoidal, after": {"positions": "sinusoidal", "norm": "post", "final_norm": False, "activation": "relu"},
    "none": {"positions": "none", "activation": "relu2", "normalization": "rms", "norm_bias": False},
    "swiglu": {"activation": "swiglu", "attention_sublayers": 2, "tied": True, "scaled_embedding": True},
    "no biases": {"attention_bias": False, "feedforward_bias": False, "norm_bias": False, "output_bias": False},
    "rms, after": {"normalization": "rms", "norm": "post", "feedforward": 5},
    "as elsewhere": {"activation": "gelu_tanh", "norm_epsilon": 0.3, "rotary_base": 7.0},
    "odd heads": {"width": 35, "heads": 5, "positions": "none", "context": 33},
    "of width 1": {"width": 1, "heads": 1, "positions": "learned", "context": 1},
    "wide heads": {"width": 84, "heads": 2, "context": 19},
}
CASES = [
    *[(name, kind, settings) for name in ("rnn", "gru", "lstm") for kind, settings in RECURRENT.items()],
    ("rnn", "relu", {"layers": 2, "width": 18, "activation": "relu"}),
    *[("gru", f"after, {kind}", {**settings, "reset": "after"}) for kind, settings in RECURRENT.items()],
    *[
        ("transformer", kind, {"layers": 2, "width": 24, "heads": 2, "context": 8, **s})
        for kind, s in TRANSFORMERS.items()
    ],
]


@contextmanager
def way(name: str) -> Iterator[None]:
    """Decode in NumPy, by torch, or compiled for one instruction set."""
    if name in ("numpy", "torch"):
        with decoders.using("numpy" if name == "numpy" else "torch"):
            yield
    else:
        with native.using(name), decoders.using("native"):
            yield


def model_of(name: str, settings: dict[str, Any], vocabulary: int = 11, noise: float = 0.2) -> LanguageModel:
    """A model far from uniform, so that the past matters; every bias and norm is drawn, too.

    With much noise and width its states are chaotic, and what rounding changes grows from token to token.
    """
    generator = torch.Generator().manual_seed(1)
    model = build(architecture(name).Settings(**settings), vocabulary, generator).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(1.5).add_(noise * torch.randn(weights.shape, generator=generator))
    return model


def text_of(length: int, vocabulary: int = 11, seed: int = 2) -> list[int]:
    return torch.randint(vocabulary, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def furthest(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest distance of two logits, against the largest logit beyond 1 (a relu's may be hundreds)."""
    return float((one - other).abs().max() / other.abs().max().clamp_min(1))


def test_the_compiled_decoder_is_there_where_the_kernels_are() -> None:
    assert (native.LIBRARY is not None) == native_decoder.SERVES
    assert decoders.chosen() == ("native" if native.LIBRARY else "numpy")


@pytest.mark.parametrize(("name", "kind", "settings"), CASES, ids=[f"{name} {kind}" for name, kind, _ in CASES])
@torch.no_grad()
def test_from_any_point_of_a_text_the_logits_are_those_of_torch(name: str, kind: str, settings: dict[str, Any]) -> None:
    model = model_of(name, settings)
    plan, text = model.plan(), text_of(40)
    assert plan is not None
    for before in (1, 5, 26):
        _, state = model(torch.tensor([text[:before]]))
        [begun] = model.rows_of(state)
        count = 12 if plan.window is None else max(plan.window - begun.position + begun.begins, 0)
        expected, state = model(torch.tensor([text[before : before + count]]), state) if count else (None, state)
        for one in WAYS:
            with way(one):
                row = Decoder(plan).begin(begun)
                for place in range(count):
                    logits = torch.from_numpy(row.read(text[before + place]).copy())
                    assert expected is not None
                    assert furthest(logits, expected[0, place]) < 1e-5, (one, place)
            back = row.row()
            back.recent = model.rows_of(state)[0].recent  # the row's keeper knows the tokens
            again = model.state_of([back])
            ahead = torch.tensor([text[before + count : before + count + 3]])
            assert furthest(model(ahead, again)[0], model(ahead, state)[0]) < 1e-5, one


@pytest.mark.parametrize("token", [-1, 11])
@pytest.mark.parametrize("one", WAYS)
@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_a_token_that_the_model_has_no_vector_for_is_refused(name: str, one: str, token: int) -> None:
    model = model_of(name, {})
    plan, [before] = model.plan(), model.rows_of(model(torch.tensor([[1, 2]]))[1])
    assert plan is not None
    with way(one):
        row = Decoder(plan).begin(before)
        with pytest.raises(IndexError, match="0 to 10"):
            row.read(token)
    assert row.position == before.position


SAME = {
    "rnn": {"layers": 2, "width": 64},
    "gru": {"layers": 2, "width": 128},
    "gru after": {"layers": 2, "width": 64, "reset": "after"},
    "lstm": {"layers": 2, "width": 128},
    "transformer": {"layers": 2, "width": 64, "context": 64},
    "transformer learned": {"layers": 2, "width": 64, "context": 64, "positions": "learned"},
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_1000_tokens_come_for_the_same_seed_whichever_way_they_are_decoded(name: str) -> None:
    """A seed fails at the odds that the next test bounds, and then always; these do not."""
    model, tokenizer = model_of(name.split()[0], SAME[name], 65, noise=0.05), CharTokenizer(map(chr, range(48, 113)))
    ways = [{"seed": 1}, {"seed": 2, "temperature": 0.8, "top_k": 20}, {"seed": 3, "top_p": 0.9, "min_p": 0.01}]
    for settings in ways:
        found: dict[str, Sample] = {}
        for one in ("torch", *WAYS):
            with way(one):
                [found[one]] = generate(model, tokenizer, "abc", DecodingSettings(length=1000, **settings))
        for one in WAYS:
            assert found[one].ids == found["torch"].ids, (one, settings)
            assert found[one].nats == pytest.approx(found["torch"].nats, abs=1e-4)


@pytest.mark.parametrize("name", SAME)
@torch.no_grad()
def test_the_odds_that_rounding_changes_one_of_1000_tokens_are_small(name: str) -> None:
    """A token changes where its number from [0, 1) falls between the running sums of two roundings."""
    model, text = model_of(name.split()[0], SAME[name], 65, noise=0.05), text_of(60, 65)
    logits, (plan, exact) = model(torch.tensor([text]))[0][0], (model.plan(), model.rows_of(model.initial_state(1)))
    assert plan is not None
    torchs = logits.double().softmax(-1).cumsum(-1).numpy()
    for one in WAYS:
        with way(one):
            row = Decoder(plan).begin(exact[0])
            read = np.stack([row.read(token).astype(np.float64) for token in text])
        ours = np.exp(read - np.logaddexp.reduce(read, axis=1, keepdims=True)).cumsum(1)
        assert 1000 * np.abs(ours - torchs).sum(1).mean() < 0.005


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn", "transformer"])
@pytest.mark.parametrize(
    "one", [WAYS[0], *(pytest.param(each, marks=pytest.mark.long) for each in WAYS[1:-1]), WAYS[-1]]
)
def test_10_000_samples_have_the_exact_probabilities_of_every_string(name: str, one: str) -> None:
    """All 3^4 strings of 4 tokens, their probabilities by the model itself, in float64."""
    model = model_of(name, {"layers": 1, "width": 8, **({"heads": 2} if name == "transformer" else {})}, 3, 0.03)
    strings = torch.tensor(list(itertools.product(range(3), repeat=4)))
    with torch.no_grad():
        logits = model(torch.cat([torch.ones(81, 1, dtype=torch.long), strings], 1))[0].double()
    chances = logits[:, :-1].log_softmax(-1).gather(2, strings[:, :, None]).sum((1, 2)).exp()
    seen = torch.zeros(81)
    with way(one):
        for seed in range(0, 10_000, 50):
            for sample in generate(model, CharTokenizer("abc"), "b", DecodingSettings(length=4, count=50, seed=seed)):
                seen[int(torch.tensor(sample.ids) @ torch.tensor([27, 9, 3, 1]))] += 1
    wanted = 10_000 * chances
    assert wanted.sum().item() == pytest.approx(10_000)
    often = wanted > 8  # the others together are one kind
    if not often.all():
        seen, wanted = (torch.cat([one[often], one[~often].sum()[None]]) for one in (seen, wanted))
    assert len(wanted) > 40
    assert wanted.min() > 5
    half = float(((seen - wanted) ** 2 / wanted).sum()) / 2
    terms = len(wanted) // 2  # of degrees of freedom that are even, and at most one more than there are
    assert math.exp(-half) * sum(half**k / math.factorial(k) for k in range(terms)) > FALSE_ALARM


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"temperature": 0.3},
        {"top_k": 3},
        {"top_k": 1},
        {"top_k": 99},
        {"top_p": 0.6},
        {"min_p": 0.4},
        {"greedy": True},
        {"temperature": 2.5, "top_k": 7, "top_p": 0.8, "min_p": 0.2},
        {"top_p": 1.0},
        {"min_p": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", SETS)
def test_compiled_choices_are_those_of_the_specification(name: str, settings: dict[str, Any]) -> None:
    decoding, generator = DecodingSettings(**settings), np.random.default_rng(3)
    choice = Choice(
        decoding.temperature, decoding.top_k or 0, decoding.top_p or 1.0, decoding.min_p or 0.0, decoding.greedy
    )
    for vocabulary in (1, 2, 9, 40):
        logits = generator.integers(-4, 5, vocabulary).astype(np.float32) / 2  # with many equals
        nothing, zero = torch.zeros(1, 1), torch.zeros(1)
        layer = RecurrentLayerPlan(1, None, Map(nothing))
        output = Map(torch.zeros(vocabulary, 1), torch.from_numpy(logits))
        plan = RecurrentPlan(Cell.RNN_TANH, torch.zeros(vocabulary, 1), (layer,), output)
        uniforms = np.concatenate([generator.random(200), [0.0, np.nextafter(1, 0)]])
        with native.using(name), decoders.using("native"):
            row = Decoder(plan).begin(Row([(zero,)]))
            assert isinstance(row, NativeRow)
            ids, nats = row.run(0, uniforms, choice)
        exact = logits.astype(np.float64)
        left = shaped(exact[None], decoding).repeat(len(uniforms), 0)
        assert ids == ([int(exact.argmax())] * len(uniforms) if decoding.greedy else draw(left, uniforms).tolist())
        assert nats == pytest.approx(np.logaddexp.reduce(exact) - exact[ids], abs=1e-12)


@pytest.mark.parametrize("one", WAYS)
def test_a_sample_ends_at_its_end_and_at_stop_strings_inside_of_a_stretch(one: str) -> None:
    model, tokenizer = model_of("gru", {"width": 8}, 7), CharTokenizer("abcd", marks=(".pad", ".start", ".end"))
    for settings in ({"count": 30}, {"count": 3, "stop": ("ab", "d")}, {"seed": 9, "stop": ("cc",)}):
        decoding = DecodingSettings(length=300, **settings)
        with way("torch"):
            expected = generate(model, tokenizer, "ab", decoding)
        with way(one):
            found = generate(model, tokenizer, "ab", decoding)
            order = [(token.sample, token.id) for token in Stream(model, tokenizer, "ab", decoding)]
        with way("torch"):
            assert order == [(token.sample, token.id) for token in Stream(model, tokenizer, "ab", decoding)]
        assert [(s.ids, s.text, s.stopped) for s in found] == [(s.ids, s.text, s.stopped) for s in expected]


@pytest.mark.parametrize("one", WAYS)
def test_what_is_no_number_is_said_after_the_tokens_before_it(one: str) -> None:
    model, tokenizer = model_of("lstm", {"width": 8}, 7), CharTokenizer("abcdefg")
    with torch.no_grad():
        assert model.get_submodule("embedding") is not None
        model.get_parameter("embedding.weight")[3] = math.nan
    written: dict[str, list[int]] = {}
    for name in ("torch", one):
        tokens = Stream(model, tokenizer, "a", DecodingSettings(length=500, seed=4))
        with way(name), pytest.raises(GlassloomError, match="not finite"):
            tokens.finish()
        written[name] = tokens.samples[0].ids
    assert written[one] == written["torch"]
    assert written[one].count(3) == 1


@pytest.mark.parametrize("name", ["lstm", "transformer", "transformer learned"])
def test_a_prompt_of_10_000_tokens_is_gone_on_from(name: str) -> None:
    model, tokenizer = model_of(name.split()[0], SAME[name], 65, noise=0.05), CharTokenizer(map(chr, range(48, 113)))
    prompt, found = tokenizer.decode(text_of(10_000, 65)), []
    for one in ("torch", *WAYS):
        with way(one):
            found.append(generate(model, tokenizer, prompt, DecodingSettings(length=40, count=2)))
    for samples in found[1:]:
        assert [sample.ids for sample in samples] == [sample.ids for sample in found[0]]


def test_what_is_streamed_in_part_is_finished_whole() -> None:
    model, tokenizer = model_of("gru", {"width": 8}, 7), CharTokenizer("abcdefg")
    [whole] = generate(model, tokenizer, "a", DecodingSettings(length=500))
    stream = Stream(model, tokenizer, "a", DecodingSettings(length=500))
    first = [token.id for token in itertools.islice(stream, 100)]
    assert first == whole.ids[:100]
    assert stream.finish() == [whole]


def test_only_what_plans_are_for_has_one() -> None:
    model = model_of("gru", {"width": 8})
    assert model.plan() is not None
    with probing(model, lambda name, value: value):
        assert model.plan() is None
    assert model.double().plan() is None
    assert model_of("transformer", {"output": "probabilities"}).plan() is None


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no compiler")
def test_no_decoder_reads_or_writes_beyond_its_arrays(tmp_path: Path) -> None:
    """The sets that run here, compiled with the sanitizers of addresses and of undefined behaviour."""
    ran = run_driver("native_decoding.cpp", ("decode",), ("decoders", "choice"), INSTRUCTIONS, tmp_path)
    assert ran == 5 * 5 * 2 + 6 * 4 * 2, "cells, widths, vocabularies; shapes, kinds, forms"


@pytest.mark.parametrize("one", WAYS)
def test_a_decoder_is_kept_while_the_weights_are_the_same_to_the_bit(one: str) -> None:
    model, tokenizer = model_of("gru", {"width": 8}, 7), CharTokenizer("abcdefg")
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)  # which changes weights without counting
    with way(one):
        first = decoder_of(model)
        assert first is not None
        assert decoder_of(model) is first
        [before] = generate(model, tokenizer, "a", DecodingSettings(length=50))
        model(torch.tensor([text_of(20, 7)]))[0].square().sum().backward()
        optimizer.step()
        assert decoder_of(model) is not first
        [after] = generate(model, tokenizer, "a", DecodingSettings(length=50))
    with way("torch"):
        [expected] = generate(model, tokenizer, "a", DecodingSettings(length=50))
    assert after.ids == expected.ids != before.ids
