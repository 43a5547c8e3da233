"""A softmax before a loss that has its own: what it costs, and what it does to a transformer."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from glassloom.loss import token_nats
from glassloom.models import build
from glassloom.models.transformer import TransformerSettings
from glassloom.views.doubled_softmax import guesses, sure_loss
from glassloom.views.memorising import floor, sequence_losses, sequences_of
from test_memorising import lines
from trainings import small, train


def chapter(data_folder: Path) -> str:
    return (data_folder / "goblin_chapter.txt").read_text(encoding="utf-8").lower()


def test_what_the_report_saw_is_what_simple_guesses_cost(data_folder: Path) -> None:
    text = chapter(data_folder)
    paragraphs = [line for line in text.split("\n") if line]
    _, excepted, _ = guesses(paragraphs)
    assert excepted.rule == "' ' after everything, 't' after ' '"
    assert sure_loss(excepted.of_sequences, 45) == pytest.approx(3.634, abs=5e-4)
    _, _, bigram = guesses([text])
    assert sure_loss(bigram.of_tokens, 45) == pytest.approx(3.548, abs=5e-4)
    assert sure_loss(1.0, 45) == pytest.approx(2.844, abs=5e-4)


def test_guesses_by_hand() -> None:
    # aab: aa ab; aaaac: aa aa aa ac. After a: a in 4 of 6. Right: 1 of 2, and 3 of 4
    every, excepted, bigram = guesses(["aab", "aaaac"])
    assert every.of_tokens == excepted.of_tokens == bigram.of_tokens == pytest.approx(4 / 6)
    assert every.of_sequences == pytest.approx((1 / 2 + 3 / 4) / 2)
    # x after everything is right in xy xz xy: never; after y and z it is: yx zx yx
    every, excepted, _ = guesses(["xyxzxyx"])
    assert (every.of_tokens, excepted.of_tokens) == (3 / 6, 5 / 6)


def test_the_loss_of_a_doubled_softmax_that_is_sure() -> None:
    logits = torch.full((1, 4, 45), -1000.0)
    logits[0, range(4), [3, 7, 7, 1]] = 1000.0
    nats = token_nats(logits.softmax(-1), torch.tensor([[3, 7, 8, 1]])).mean().item()
    assert nats == pytest.approx(sure_loss(3 / 4, 45), abs=1e-6)


def test_a_broken_transformer_is_the_mended_one_with_a_softmax_behind_it() -> None:
    broken, mended = (
        build(TransformerSettings(layers=1, width=8, heads=2, output=output), 7, torch.Generator().manual_seed(1))
        for output in ("probabilities", "logits")
    )
    tokens = torch.tensor([[1, 2, 3, 4]])
    torch.testing.assert_close(broken(tokens)[0], mended(tokens)[0].softmax(-1))


def test_a_broken_transformer_cannot_get_below_its_bound_and_the_mended_one_does(tmp_path: Path) -> None:
    corpus = lines("the cat sat\nthe dog ran\na bird flew\n")
    bound = sure_loss(1.0, corpus.tokenizer.size)
    lowest = floor(sequences_of(corpus.train, corpus.tokenizer)).mean_of_sequences
    losses: dict[str, Any] = {}
    for output in ("probabilities", "logits"):
        settings = small("transformer", steps=200, width=32, lr=1e-2, context=16, sample_prompt="the", eval_tokens=0)
        run = train(corpus, tmp_path, output, output=output, **settings).run
        losses[output] = sequence_losses(run.model(), corpus.train, corpus.tokenizer)
    broken, mended = losses["probabilities"], losses["logits"]
    assert bound == pytest.approx(math.log(math.e + corpus.tokenizer.size - 1) - 1)
    assert broken.mean_of_sequences > bound - 1e-6
    assert broken.mean_of_tokens == pytest.approx(sure_loss(broken.accuracy, corpus.tokenizer.size), abs=0.05)
    assert mended.mean_of_sequences < lowest + 0.02 < bound
