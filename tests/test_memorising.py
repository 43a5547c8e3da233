"""Memorising: a text that is its own validation text, its exact floor, and who knows it by heart."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from glassloom.data import DataSettings, load_corpus, load_text
from glassloom.data.corpus import Corpus
from glassloom.errors import CorpusError
from glassloom.generation import DecodingSettings, generate
from glassloom.models import build
from glassloom.training.evaluation import evaluate_split
from glassloom.views.memorising import floor, sequence_losses, sequences_of, unigram_nats
from trainings import small, train

BY_HEART = {"sequences": "lines", "marks": "text", "split": "all"}


def chapter(data_folder: Path) -> Corpus:
    """The chapter as the report read it."""
    return load_corpus(data_folder / "goblin_chapter.txt", DataSettings(lowercase=True, **BY_HEART))


def lines(text: str, **settings: str) -> Corpus:
    """A small text, each line a sequence that is trained on and validated on."""
    return load_text(text, DataSettings(**{**BY_HEART, **settings}))


# -- the text


def test_everything_is_trained_on_and_the_same_is_validated_on_and_it_says_so(tmp_path: Path) -> None:
    corpus = lines("abc\nabd\ncc\n")
    assert corpus.memorises
    assert corpus.text("train") == corpus.text("valid") == "abc\nabd\ncc\n"
    assert corpus.valid.starts.tolist() == [0, 4, 8]
    assert corpus.test.tokens == 0
    assert "the very same text to validate on: memorisation" in corpus.split_rule
    model = build("gru", corpus.tokenizer.size)
    assert "memorisation" in evaluate_split(model, corpus).protocol
    assert "memorisation" not in evaluate_split(model, corpus, "train").protocol
    result = train(corpus, tmp_path, **small(steps=2, sample_prompt="ab"))
    assert "memorisation" in result.best["protocol"]
    assert not load_text("abc\nabd\ncc\n" * 5).memorises


def test_a_stream_can_be_its_own_validation_text_too() -> None:
    corpus = load_text("to be or not to be", DataSettings(split="all"))
    assert corpus.text("valid") == corpus.text("train") == "to be or not to be"
    assert corpus.train.starts is None


def test_a_folder_can_be_its_own_validation_text(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text(f"file {number}\n")
    corpus = load_corpus(tmp_path, DataSettings(split="all"))
    assert corpus.text("valid") == corpus.text("train") == "".join(f"file {number}\n" for number in range(4))


def test_without_marks_a_line_ends_with_its_line_end_and_its_first_symbol_is_given() -> None:
    corpus, marked = lines("abc\nabd"), lines("abc\nabd", marks="special")
    assert corpus.tokenizer.labels() == ["⏎", "a", "b", "c", "d"]
    assert marked.tokenizer.labels() == ["a", "b", "c", "d", ".pad", ".start", ".end", ".unk"]
    assert [corpus.tokenizer.decode(row) for row in sequences_of(corpus.train, corpus.tokenizer)] == ["abc\n", "abd\n"]
    start, end = (marked.tokenizer.specials[mark] for mark in (".start", ".end"))
    assert sequences_of(marked.train, marked.tokenizer) == [[start, 0, 1, 2, end], [start, 0, 1, 3, end]]
    model = build("gru", 5)
    assert evaluate_split(model, corpus).tokens == 6  # b c ⏎ and b d ⏎


def test_the_chapter_has_the_size_that_the_report_had(data_folder: Path) -> None:
    corpus = chapter(data_folder)
    assert (corpus.train.sequences, corpus.train.tokens, corpus.tokenizer.size) == (196, 67_997, 45)
    model = build("lstm", 45)
    assert evaluate_split(model, corpus, tokens=2000).tokens < 2000
    assert unigram_nats(corpus.train) == pytest.approx(2.957, abs=5e-4)


# -- the floor


def test_the_floor_of_the_chapter_is_the_published_one(data_folder: Path) -> None:
    corpus = chapter(data_folder)
    sequences = sequences_of(corpus.train, corpus.tokenizer)
    assert floor(sequences).mean_of_sequences == pytest.approx(0.0197, abs=5e-5)
    assert floor(sequences, "as the error").mean_of_sequences == pytest.approx(0.0193, abs=5e-5)


def test_the_floor_by_hand() -> None:
    # first symbols given; after a: b in two of three (2/3), c in one; after ab: c or the end of the line, one each
    found = floor([[0, 1, 2, 9], [0, 1, 9], [0, 2, 9], [5, 9]])
    once = [
        (-math.log(2 / 3) - math.log(1 / 2)) / 3,
        (-math.log(2 / 3) - math.log(1 / 2)) / 2,
        -math.log(1 / 3) / 2,
        0.0,
    ]
    assert found.mean_of_sequences == pytest.approx(sum(once) / 4)
    assert found.mean_of_tokens == pytest.approx((2 * math.log(3 / 2) + 2 * math.log(2) + math.log(3)) / 8)
    # the weights are 1/3, 1/2, 1/2 and 1: after a, b has 5/6 of 4/3; after ab, 1/3 and 1/2 of 5/6
    weighted = [
        (-math.log(5 / 8) - math.log(2 / 5)) / 3,
        (-math.log(5 / 8) - math.log(3 / 5)) / 2,
        -math.log(3 / 8) / 2,
    ]
    assert floor([[0, 1, 2, 9], [0, 1, 9], [0, 2, 9], [5, 9]], "as the error").mean_of_sequences == pytest.approx(
        sum(weighted) / 4
    )


def test_the_floor_agrees_with_counting_every_prefix() -> None:
    generator = np.random.Generator(np.random.PCG64(1))
    rows = [generator.integers(0, 3, size=generator.integers(2, 9)).tolist() for _ in range(200)]
    means = []
    for row in rows:
        nats = 0.0
        for place in range(1, len(row)):
            before = sum(other[:place] == row[:place] and len(other) > place for other in rows)
            nats -= math.log(sum(other[: place + 1] == row[: place + 1] for other in rows) / before)
        means.append(nats / (len(row) - 1))
    assert floor(rows).mean_of_sequences == pytest.approx(sum(means) / len(means))


# -- who knows it by heart


def test_a_models_losses_are_those_of_each_sequence_read_by_itself() -> None:
    corpus = lines("abcab\nabd\nc\n")
    model = build("gru", corpus.tokenizer.size, torch.Generator().manual_seed(3))
    found = sequence_losses(model, corpus.train, corpus.tokenizer)
    expected, right = [], []
    for row in sequences_of(corpus.train, corpus.tokenizer):
        probabilities = model(torch.tensor([row[:-1]]))[0].detach().softmax(-1)[0]
        expected.append(-sum(math.log(float(at[id])) for at, id in zip(probabilities, row[1:], strict=True)))
        right.append(sum(int(at.argmax()) == id for at, id in zip(probabilities, row[1:], strict=True)))
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert found.tokens == (5, 3, 1)
    assert found.correct == tuple(right)
    means = [nats / count for nats, count in zip(expected, (5, 3, 1), strict=True)]
    assert found.mean_of_sequences == pytest.approx(sum(means) / 3)
    assert found.mean_of_tokens == pytest.approx(sum(expected) / 9)
    assert found.mean_of_tokens == pytest.approx(evaluate_split(model, corpus).figures.nats_per_token)
    assert sequence_losses(model, corpus.train, corpus.tokenizer, first=2).tokens == (5, 3)


def test_a_stream_has_no_sequences_to_score() -> None:
    corpus = load_text("to be or not to be", DataSettings(split="all"))
    with pytest.raises(CorpusError, match="--sequences lines"):
        sequence_losses(build("gru", corpus.tokenizer.size), corpus.train, corpus.tokenizer)


@pytest.mark.parametrize("model", ["lstm", "transformer"])
def test_a_small_text_is_learned_by_heart_down_to_its_floor_and_continued_to_its_end(
    tmp_path: Path, model: str
) -> None:
    corpus = lines("the cat sat\nthe dog ran\na bird flew\n")
    settings = small(model, steps=200, width=32, lr=2e-2, sample_prompt="the", eval_tokens=0)
    run = train(corpus, tmp_path, **{**settings, "context": 16} if model == "transformer" else settings).run
    found = sequence_losses(run.model(), corpus.train, corpus.tokenizer, given=5)
    lowest = floor(sequences_of(corpus.train, corpus.tokenizer)).mean_of_sequences
    assert lowest == pytest.approx(2 * math.log(2) / 11 / 3)
    assert lowest <= found.mean_of_sequences < lowest + 0.02
    assert found.drifts == (None, None, None)
    assert generate(run.model(), run.tokenizer, "the c", DecodingSettings(length=7, greedy=True))[0].text == "at sat\n"


def test_where_the_greedy_continuation_drifts_off_is_known_from_one_pass(tmp_path: Path) -> None:
    corpus = lines("abcabcabcabd\nabcabdabcabc\n")
    run = train(corpus, tmp_path, **small(steps=12, sample_prompt="ab")).run
    for given in (1, 3, 5):
        found = sequence_losses(run.model(), corpus.train, corpus.tokenizer, given=given)
        for row, drifts in zip(sequences_of(corpus.train, corpus.tokenizer), found.drifts, strict=True):
            text = corpus.tokenizer.decode(row)
            settings = DecodingSettings(length=len(text) - given, greedy=True)
            written = generate(run.model(), run.tokenizer, text[:given], settings)[0].text
            truth = text[given:]
            expected = next((at for at in range(len(truth)) if written[at] != truth[at]), None)
            assert drifts == expected
