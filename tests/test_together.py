"""Texts written side by side: each is, to the last bit, what it would be alone; and what the model expected."""

from typing import Any

import numpy as np
import pytest
import torch

from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import GlassloomError
from glassloom.generation import DecodingSettings, generate
from glassloom.generation.reading import Reader
from glassloom.generation.together import News, Prompt, Together
from glassloom.kernels import decoders
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.contract import LanguageModel

TOKENIZER = CharTokenizer("abcdefg")
VARIANTS = {
    "rnn": {"layers": 2, "width": 12},
    "gru": {"layers": 2, "width": 12, "initial_state": "trainable"},
    "lstm": {"layers": 2, "width": 12},
    "transformer": {"layers": 2, "width": 16, "heads": 2, "context": 8},
    "learned": {"layers": 1, "width": 16, "heads": 2, "context": 8, "positions": "learned"},
}


def model_of(name: str, **settings: Any) -> LanguageModel:
    kind = name if name in ARCHITECTURES else "transformer"
    model = build(architecture(kind).Settings(**{**VARIANTS[name], **settings}), 7, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(2)  # far from uniform, so that the past matters
    return model.eval()


def finish(together: Together) -> list[News]:
    news = []
    while together.is_busy:
        news += together.go_on()
    return news


def texts_of(news: list[News], prompt: Prompt) -> dict[int, tuple[str, list[int], list[float], str | None]]:
    """Of each sample of a prompt: its text, ids, nats, and why it ended."""
    found: dict[int, tuple[str, list[int], list[float], str | None]] = {}
    for one in news:
        if one.prompt is prompt and one.sample is not None:
            assert one.written is not None
            text, ids, nats, _ = found.get(one.sample, ("", [], [], None))
            joined = text + "".join(one.written.texts), ids + one.written.ids, nats + one.written.nats
            found[one.sample] = (*joined, one.written.stopped)
    return found


def alone_together(model: LanguageModel, prompt: Prompt, by: decoders.Name) -> Any:
    """The one text of a prompt to which nobody else came."""
    with decoders.using(by):
        together, again = Together(model, TOKENIZER), Prompt(prompt.ids, prompt.several)
        together.join(again)
        return texts_of(finish(together), again)[0]


ASKED = [
    ("ab", DecodingSettings(length=40, seed=3)),
    ("", DecodingSettings(length=11, seed=4, temperature=0.5)),
    ("gfedcba" * 5, DecodingSettings(length=30, greedy=True)),
    ("c", DecodingSettings(length=60, seed=5, top_k=3, stop=("ab", "g"))),
    ("abcabc", DecodingSettings(length=25, seed=3, top_p=0.9, min_p=0.01)),
]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("by", ["native", "numpy", "torch"])
def test_each_text_is_what_it_is_alone_whatever_else_is_written(name: str, by: decoders.Name) -> None:
    model = model_of(name)
    with decoders.using(by):
        alone = [generate(model, TOKENIZER, prompt, settings)[0] for prompt, settings in ASKED]
        together, prompts, news = Together(model, TOKENIZER), [], []
        for text, settings in ASKED:  # each comes a round later than the one before
            prompts.append(Prompt(TOKENIZER.encode(text).tolist(), [settings]))
            together.join(prompts[-1])
            news += together.go_on()
        news += finish(together)
    for prompt, sample in zip(prompts, alone, strict=True):
        found = texts_of(news, prompt)[0]
        assert found == alone_together(model, prompt, by)
        assert (found[0], found[1], found[3]) == (sample.text, sample.ids, sample.stopped)
        assert found[2] == (pytest.approx(sample.nats, abs=1e-5) if by == "torch" else sample.nats)


def test_several_texts_of_one_prompt_are_the_samples_of_generate() -> None:
    model, settings = model_of("lstm"), DecodingSettings(length=20, seed=9, count=3)
    prompt = Prompt(
        TOKENIZER.encode("fab").tolist(), [settings.model_copy(update={"seed": 9 + i, "count": 1}) for i in range(3)]
    )
    together = Together(model, TOKENIZER)
    together.join(prompt)
    found = texts_of(finish(together), prompt)
    assert [found[i][0] for i in range(3)] == [one.text for one in generate(model, TOKENIZER, "fab", settings)]
    assert len({text for text, *_ in found.values()}) == 3


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_model_expected_is_what_one_pass_over_the_text_says(name: str) -> None:
    model, ids = model_of(name), TOKENIZER.encode("abcdefgab" * 2).tolist()
    settings = [DecodingSettings(length=12, seed=1), DecodingSettings(length=12, seed=2)]
    prompt = Prompt(ids, settings, top=2, looks=True)
    together = Together(model, TOKENIZER)
    together.join(prompt)
    news = finish(together)
    for sample in (0, 1):
        looked = [one for news_ in news if news_.sample in (None, sample) for one in news_.looked]
        written = texts_of(news, prompt)[sample]
        whole = [*ids, *written[1]]
        with torch.no_grad():
            expected = model(torch.tensor([whole]))[0][0].double().log_softmax(-1).numpy()
        assert looked[0] is None
        assert [one.id for one in looked[1:]] == whole[1:]
        for place, one in enumerate(looked[1:]):
            assert one.nats == pytest.approx(-expected[place, one.id], abs=1e-5)
            best = np.sort(-expected[place])[:2]
            assert [nats for _, nats in one.top] == pytest.approx(best.tolist(), abs=1e-5)
            assert [-expected[place, other] for other, _ in one.top] == pytest.approx(best.tolist(), abs=1e-5)
        assert written[2] == pytest.approx([one.nats for one in looked[len(ids) :]], abs=1e-5)


def test_a_text_that_is_left_is_written_no_further_and_the_others_are() -> None:
    model = model_of("gru")
    left, stays = (Prompt([0, 1], [DecodingSettings(length=50_000, seed=seed)]) for seed in (1, 2))
    together = Together(model, TOKENIZER)
    together.join(left)
    together.join(stays)
    for _ in range(4):
        together.go_on()
    together.leave(left)
    assert together.is_busy
    assert {one.prompt for one in finish(together)} == {stays}


def test_a_long_prompt_is_read_between_the_rounds_of_others() -> None:
    model = model_of("gru")
    together = Together(model, TOKENIZER)
    short, long = Prompt([0], [DecodingSettings(length=2000)]), Prompt([1] * 5000, [DecodingSettings(length=1)])
    together.join(long)
    together.join(short)
    first = together.go_on() + together.go_on()
    assert {one.prompt for one in first} == {short}, "the short prompt's text has begun, the long one is being read"
    assert {one.prompt for one in finish(together)} >= {long}


@pytest.mark.parametrize("top", [None, 1])
def test_probabilities_that_are_not_finite_end_their_own_texts_with_an_error(top: int | None) -> None:
    model = model_of("gru")
    with torch.no_grad():
        model.output_weight[3] = float("nan")
    together, prompt = Together(model, TOKENIZER), Prompt([0, 1], [DecodingSettings(length=5)], top=top)
    together.join(prompt)
    errors = [one.error for one in finish(together) if one.error is not None]
    assert errors
    assert isinstance(errors[0], GlassloomError)
    assert "not finite" in str(errors[0])


def test_a_reader_goes_on_from_where_another_one_is() -> None:
    model = model_of("lstm")
    one = Reader(model)
    one.look([0, 1, 2], 0)
    other = one.copy()
    assert one.look([3, 4], 1) == other.look([3, 4], 1)
    one.skim([5])
    assert one.look([6], 1) == [None], "nothing was looked at before it"
