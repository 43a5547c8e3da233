"""A model in a page, in Chromium: the same logits, losses, greedy texts and inner values as in PyTorch."""

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import torch
from playwright.sync_api import Browser

import glassloom
from glassloom.data.tokenizers import CharTokenizer
from glassloom.generation import DecodingSettings
from glassloom.generation import generate as continue_prompt
from glassloom.loss import token_nats
from glassloom.models import ARCHITECTURES, build, settings_of
from glassloom.runs.inside import look_inside
from model_pages import LETTERS, Visitor, halved, noisy

VOCABULARY = LETTERS.size
RECURRENT: list[dict[str, Any]] = [
    {"layers": 2, "width": 9},
    {"widths": (5, 8), "embedding": 6, "bias": "two", "initial_state": "trainable"},
    {"layers": 1, "width": 8, "embedding": 0, "bias": "two"},
    {"layers": 2, "width": 8, "tied": True, "embedding_bias": True},
]
OWN: dict[str, list[dict[str, Any]]] = {
    "rnn": [{"activation": "relu", "layers": 1, "width": 6}],
    "gru": [{"reset": "after", **more} for more in RECURRENT],
    "lstm": [{"layers": 3, "width": 7, "initial_state": "trainable"}],
    "transformer": [
        {},
        {"positions": "learned", "norm": "post", "activation": "relu", "output_bias": False, "heads": 1},
        {"positions": "sinusoidal", "context": 7, "tied": True, "scaled_embedding": True, "activation": "relu2"},
        {"positions": "none", "normalization": "rms", "activation": "swiglu", "attention_sublayers": 2},
        {"positions": "learned", "context": 1, "final_norm": False},
        {"attention_bias": False, "feedforward_bias": False, "norm_bias": False, "normalization": "rms"},
        {"norm_bias": False, "final_norm": False, "norm": "post", "feedforward": 5, "context": 1},
        {"activation": "gelu_tanh", "norm_epsilon": 0.3, "rotary_base": 7.0},
        {"output": "probabilities", "positions": "sinusoidal", "width": 9, "heads": 3},
    ],
}
CASES = [
    *((name, given) for name in ("rnn", "gru", "lstm") for given in [*RECURRENT, *OWN[name]]),
    *(("transformer", {"layers": 2, "width": 12, "heads": 2, "context": 8, **given}) for given in OWN["transformer"]),
]


IN_TRAINING_ONLY = {"initialization", "forget_bias"}
"""Settings that say how a model begins, or learns; so do all whose name begins with dropout."""


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_setting_that_changes_what_a_model_says_is_among_the_cases(name: str) -> None:
    plain = settings_of(name)()
    varied = {"width", *(setting for architecture, given in CASES if architecture == name for setting in given)}
    for setting, field in type(plain).model_fields.items():
        if setting in IN_TRAINING_ONLY or setting.startswith("dropout"):
            continue
        assert setting in varied, f"hold the page to {setting}, too"
        for choice in get_args(field.annotation) if get_origin(field.annotation) is Literal else ():
            known = [getattr(settings_of(architecture)(**given), setting) for architecture, given in CASES
                     if architecture == name]  # fmt: skip
            assert choice in known, f"hold the page to {setting} {choice}, too"


@pytest.fixture(scope="module")
def visitor(browser: Browser) -> Iterator[Visitor]:
    visitor = Visitor(browser)
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize(("name", "given"), CASES, ids=lambda case: case if isinstance(case, str) else "-".join(case))
def test_its_logits_are_pytorchs_with_the_same_weights_of_16_bits(
    visitor: Visitor, name: str, given: dict[str, Any], tmp_path: Path
) -> None:
    model = noisy(settings_of(name)(**given), VOCABULARY)
    visitor.show(model, LETTERS, tmp_path)
    ids = torch.randint(VOCABULARY, (45,), generator=torch.Generator().manual_seed(2)).tolist()
    with torch.no_grad():
        expected, _ = halved(model)(torch.tensor([ids]))
    assert expected[0].std(0).min() > 1e-4, "every logit depends on what was read"
    torch.testing.assert_close(visitor.logits(ids), expected[0], rtol=1e-4, atol=1e-4)


def test_a_weight_beyond_the_range_of_float16_is_kept_in_bfloat16(visitor: Visitor, tmp_path: Path) -> None:
    model = noisy(settings_of("rnn")(layers=1, width=4), VOCABULARY)
    with torch.no_grad():
        model.get_parameter("output.bias")[3] = 1e6
    visitor.show(model, LETTERS, tmp_path)
    assert visitor.logits([0])[0, 3].item() == pytest.approx(torch.tensor(1e6).bfloat16().item(), abs=2)


TRAINED = {
    "rnn": {"width": 24, "layers": 1},
    "gru": {"width": 24, "layers": 2},
    "lstm": {"width": 24, "layers": 1},
    "transformer": {"width": 24, "layers": 2, "heads": 2, "context": 32, "positions": "learned"},
}


@pytest.mark.parametrize("name", TRAINED)
def test_a_trained_model_loses_nothing_and_writes_the_same(
    visitor: Visitor, name: str, tiny_text: str, tmp_path: Path
) -> None:
    result = glassloom.train(
        glassloom.load_text(tiny_text[:12_000]), model=name, runs=tmp_path, name=name, steps=120, batch_size=8,
        sequence_length=32, eval_tokens=200, sample_length=10, seed=1, threads=1, **TRAINED[name],
    )  # fmt: skip
    run = result.run
    visitor.open(glassloom.export(run))
    held_out = run.tokenizer.encode(tiny_text[11_000:11_800]).tolist()
    model = run.model()
    with torch.no_grad():
        original = token_nats(model(torch.tensor([held_out[:-1]]))[0], torch.tensor([held_out[1:]])).mean().item()
    here = token_nats(visitor.logits(held_out[:-1])[None], torch.tensor([held_out[1:]])).mean().item()
    assert original < 3.0, "it has learned something"
    assert abs(here - original) < 1e-3
    bits = [token["bits"] for token in visitor.read(tiny_text[11_000:11_800])[1:]]
    assert math.fsum(bits) * math.log(2) / len(bits) == pytest.approx(here, abs=1e-5)
    [sample] = continue_prompt(halved(model), run.tokenizer, "def ", DecodingSettings(greedy=True, length=200))
    written = visitor.write("def ", greedy=True, length=200)
    assert "".join(token["text"] for token in written) == sample.text
    assert [token["id"] for token in written] == sample.ids
    assert [token["bits"] * math.log(2) for token in written] == pytest.approx(sample.nats, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("gru", {"layers": 2, "width": 6}),
        ("transformer", {"layers": 2, "width": 12, "heads": 2, "context": 6, "positions": "rotary"}),
        ("transformer", {"layers": 1, "width": 12, "heads": 3, "context": 6, "positions": "learned"}),
    ],
    ids=["units", "attention that slides", "attention that begins anew"],
)
def test_what_it_shows_of_the_inside_is_the_inside(
    visitor: Visitor, name: str, given: dict[str, Any], tmp_path: Path
) -> None:
    model = noisy(settings_of(name)(**given), VOCABULARY)
    visitor.show(model, LETTERS, tmp_path)
    text = "a bad cab faced\na dead bee"
    seen = [token["inside"] for token in visitor.read(text, look=True)]
    inside = look_inside(halved(model), LETTERS, text)
    for layer in range(given["layers"]):
        if name == "gru":
            shown = torch.tensor([one["hidden"][layer] for one in seen])
            torch.testing.assert_close(shown.double().numpy(), inside[f"layers.{layer}.hidden"], rtol=0, atol=1e-5)
            continue
        expected = inside[f"layers.{layer}.attention.0.weights"]
        for place, one in enumerate(seen):
            heads = torch.tensor(one["attention"][layer]).view(given["heads"], -1)
            first = one["newest"] + 1 - heads.shape[1]
            assert one["newest"] == place
            torch.testing.assert_close(heads.double().numpy(), expected[:, place, first : place + 1], rtol=0, atol=1e-5)
            assert expected[:, place, :first].sum() == 0, "nothing is looked at that is not shown"


PROBABILITIES = [0.4, 0.3, 0.2, 0.1]


@pytest.fixture(scope="module")
def unigram(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """A model of four letters with known probabilities, whatever it has read."""
    model = build(settings_of("rnn")(layers=1, width=2), 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.get_parameter("output.bias").copy_(torch.tensor(PROBABILITIES).log())
    visitor = Visitor(browser).show(model, CharTokenizer("abcd"), tmp_path_factory.mktemp("unigram"))
    yield visitor
    visitor.context.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, PROBABILITIES),
        ({"temperature": 0.5}, [16 / 30, 9 / 30, 4 / 30, 1 / 30]),
        ({"topK": 2}, [4 / 7, 3 / 7, 0, 0]),
        ({"topP": 0.69}, [4 / 7, 3 / 7, 0, 0]),
        ({"topP": 0.75}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"minP": 0.45}, [4 / 9, 3 / 9, 2 / 9, 0]),
        ({"topK": 3, "topP": 0.7}, [4 / 7, 3 / 7, 0, 0]),
        ({"greedy": True}, [1, 0, 0, 0]),
    ],
    ids=str,
)
def test_it_draws_as_the_settings_say(unigram: Visitor, settings: dict[str, Any], expected: list[float]) -> None:
    count = 2000
    drawn = Counter(token["text"] for token in unigram.write("a", length=count, seed=3, **settings))
    for letter, share in zip("abcd", expected, strict=True):
        # five standard deviations; the seed is fixed, so it holds always or never
        assert abs(drawn[letter] / count - share) <= 5 * math.sqrt(share * (1 - share) / count)


def test_the_same_seed_writes_the_same_and_another_one_something_else(unigram: Visitor) -> None:
    def text(seed: int) -> str:
        return "".join(token["text"] for token in unigram.write("a", length=60, seed=seed))

    assert text(1) == text(1)
    assert len({text(seed) for seed in (0, 1, 2, 2**32, 2**33)}) == 5


def test_a_tokens_surprise_and_what_was_more_probable_are_told(unigram: Visitor) -> None:
    first, second, third = unigram.read("adb")
    assert "bits" not in first, "nothing stood before it"
    assert second["bits"] == pytest.approx(math.log2(10), abs=2e-3)
    assert third["bits"] == pytest.approx(-math.log2(0.3), abs=2e-3)
    assert [one["label"] for one in third["best"]] == ["a", "b", "c", "d"]
    assert [one["share"] for one in third["best"]] == pytest.approx(PROBABILITIES, abs=1e-3)
