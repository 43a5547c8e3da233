"""Evaluation against plain computations written here: one token at a time, one window at a time, one row."""

import dataclasses
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from glassloom.data import DataSettings, load_text
from glassloom.data.corpus import Corpus, Split
from glassloom.errors import CorpusError, SettingError
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.training import evaluate_split
from glassloom.training.evaluation import Line, beginning
from trainings import language, small, stream, train


@pytest.fixture(scope="session")
def corpus(tiny_text: str) -> Corpus:
    """A small stream with a held-out part of some hundred tokens."""
    return load_text(tiny_text[:3000], DataSettings(split="80,10,10"))


def untrained(name: str, corpus: Corpus, **settings: Any) -> LanguageModel:
    """A model with large random weights, so that every mistake shows, in float64."""
    own = {"heads": 2, "context": 10} if name == "transformer" else {}
    chosen = architecture(name).Settings(**{"width": 8, "layers": 1, **own, **settings})
    model = build(chosen, corpus.tokenizer.size, torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(1.5)
    return model


def line(corpus: Corpus, split: str, before: str) -> list[int]:
    """The ids of a split with the one before it."""
    return [int(corpus.split(before).ids[-1]), *corpus.split(split).ids.tolist()]


def token_by_token(model: LanguageModel, ids: list[int]) -> list[float]:
    """The loss of every id but the first, one at a time, the state carried."""
    nats, state = [], None
    with torch.no_grad():
        for token, target in itertools.pairwise(ids):
            logits, state = model.eval()(torch.tensor([[token]]), state)
            nats.append(F.cross_entropy(logits[0], torch.tensor([target])).item())
    return nats


def window_by_window(model: LanguageModel, ids: list[int], length: int, stride: int) -> list[float]:
    """The loss of every id but the first, each in the window that the protocol gives it, alone."""
    nats, targets, logs = [], len(ids) - 1, {}
    with torch.no_grad():
        for place in range(targets):
            end = length if place < length else length + math.ceil((place + 1 - length) / stride) * stride
            end = min(end, targets)
            begin = max(0, end - length)
            if end not in logs:
                logs[end] = model.eval()(torch.tensor([ids[begin:end]]))[0][0].log_softmax(-1)
            nats.append(-logs[end][place - begin, ids[place + 1]].item())
    return nats


# -- the fair protocol


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize(("split", "before"), [("valid", "train"), ("test", "valid")])
def test_the_fair_protocol_scores_every_token_once_as_a_plain_computation_does(
    name: str, split: str, before: str, corpus: Corpus
) -> None:
    model = untrained(name, corpus)
    ids = line(corpus, split, before)
    expected = token_by_token(model, ids) if name != "transformer" else window_by_window(model, ids, 10, 5)
    found = evaluate_split(model, corpus, split, warm=0)
    assert found.tokens == len(corpus.split(split).ids) == len(expected)
    assert found.figures.nats_per_token == pytest.approx(sum(expected) / len(expected), abs=1e-9)
    assert found.protocol.startswith("fair: every token once")
    assert ("windows of 10 with a stride of 5" in found.protocol) == (name == "transformer")


@pytest.mark.parametrize("context", [1, 2, 7, 10, 64, 400])
@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_transformer_of_any_context_scores_every_token_once(context: int, positions: str, corpus: Corpus) -> None:
    model = untrained("transformer", corpus, context=context, positions=positions)
    ids = line(corpus, "valid", "train")
    expected = window_by_window(model, ids, context, max(1, context // 2))
    found = evaluate_split(model, corpus)
    assert found.tokens == len(expected)
    assert found.figures.nats_per_token == pytest.approx(sum(expected) / len(expected), abs=1e-9)


def test_the_training_text_itself_begins_after_a_line_end(corpus: Corpus) -> None:
    model = untrained("gru", corpus)
    ids = [int(corpus.tokenizer.encode("\n")[0]), *corpus.train.ids[:50].tolist()]
    found = evaluate_split(model, corpus, "train", tokens=50)
    assert found.figures.nats_per_token == pytest.approx(sum(token_by_token(model, ids)) / 50, abs=1e-9)
    assert found.protocol.endswith("on the first 50 tokens")


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm"])
def test_rows_that_are_warmed_up_score_as_one_carried_state_does(name: str, tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text, 12_000)
    settings = small(name, width=32, batch_size=8, sequence_length=32, steps=120, precision="float64")
    model = train(corpus, tmp_path, name, **settings).run.model()
    exact = evaluate_split(model, corpus, "train", tokens=4000, warm=0)
    assert exact.protocol == "fair: every token once, state carried, on the first 4,000 tokens"
    for warm, tolerance in ((100, 1e-4), (250, 1e-6)):
        rows = 4000 // (2 * warm)
        found = evaluate_split(model, corpus, "train", tokens=4000, warm=warm)
        assert f"({rows} rows, each warmed up on the {warm} tokens before it)" in found.protocol
        assert found.tokens == exact.tokens == 4000
        assert found.figures.nats_per_token == pytest.approx(exact.figures.nats_per_token, abs=tolerance)
    cold = evaluate_split(model, corpus, "train", tokens=4000, warm=1)
    assert abs(cold.figures.nats_per_token - exact.figures.nats_per_token) > 1e-4


@pytest.mark.parametrize("tokens", [2, 3, 63, 127, 128, 129, 299])
def test_rows_of_any_length_leave_no_token_out(tokens: int, corpus: Corpus) -> None:
    """A state that forgets everything: the loss does not depend on the rows, so the sums must agree."""
    model = untrained("rnn", corpus)
    with torch.no_grad():
        model.get_parameter("layers.0.recurrent_weight").zero_()
    exact = evaluate_split(model, corpus, tokens=tokens, warm=0)
    found = evaluate_split(model, corpus, tokens=tokens, warm=1)
    assert found.tokens == exact.tokens == tokens
    assert found.figures.nats_per_token == pytest.approx(exact.figures.nats_per_token, abs=1e-12)


def test_a_large_vocabulary_is_scored_in_smaller_pieces_with_the_same_result(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("gru", "transformer"):
        model = untrained(name, corpus)
        whole = evaluate_split(model, corpus, warm=50)
        with monkeypatch.context() as patch:
            patch.setattr("glassloom.training.evaluation.LOGITS_AT_ONCE", 1)
            pieces = evaluate_split(model, corpus, warm=50)
        assert pieces.tokens == whole.tokens
        assert pieces.figures.nats_per_token == pytest.approx(whole.figures.nats_per_token, abs=1e-12)


# -- the other protocols


def of_ids(train_ids: np.ndarray, valid_ids: np.ndarray, corpus: Corpus) -> Corpus:
    """A corpus of given ids, with the tokenizer of another one."""
    parts = {
        name: Split(name, ids, None, len(ids), len(ids)) for name, ids in (("train", train_ids), ("valid", valid_ids))
    }
    return dataclasses.replace(corpus, test=Split("test", valid_ids[:0], None, 0, 0), **parts)


@pytest.mark.parametrize(("rows", "scored"), [(128, 71_680), (20, 73_500)])
def test_the_protocol_streams_scores_the_tokens_of_reference_a(rows: int, scored: int, corpus: Corpus) -> None:
    rng = np.random.default_rng(1)
    valid = rng.integers(0, corpus.tokenizer.size, 73_760).astype(np.uint8)
    found = evaluate_split(
        untrained("rnn", corpus, width=4), of_ids(corpus.train.ids, valid, corpus), protocol="streams",
        batch_size=rows, sequence_length=35,
    )  # fmt: skip
    assert found.tokens == scored
    assert found.protocol == f"streams: {rows} rows, whole windows of 35, carried state"


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_protocol_streams_is_the_mean_over_whole_windows_of_contiguous_rows(name: str, corpus: Corpus) -> None:
    model, rows, length = untrained(name, corpus), 3, 10
    each = len(corpus.valid.ids) // rows
    used = (each - 1) // length * length
    nats: list[float] = []
    for row in range(rows):
        ids = corpus.valid.ids[row * each : row * each + used + 1].tolist()
        nats += token_by_token(model, ids) if name != "transformer" else window_by_window(model, ids, length, length)
    found = evaluate_split(model, corpus, protocol="streams", batch_size=rows, sequence_length=length)
    assert found.tokens == len(nats) == rows * used
    assert found.figures.nats_per_token == pytest.approx(sum(nats) / len(nats), abs=1e-9)


@pytest.mark.parametrize("name", ["lstm", "transformer"])
@pytest.mark.parametrize("length", [1, 7, 10, 10_000])
def test_windows_side_by_side_carry_nothing_and_leave_nothing_out(name: str, length: int, corpus: Corpus) -> None:
    model = untrained(name, corpus, **({"context": 5000} if name == "transformer" else {}))
    ids = line(corpus, "valid", "train")
    nats: list[float] = []
    for begin in range(0, len(ids) - 1, length):
        nats += token_by_token(model, ids[begin : begin + length + 1])
    found = evaluate_split(model, corpus, protocol="windows", sequence_length=length)
    assert found.tokens == len(nats) == len(corpus.valid.ids)
    assert found.figures.nats_per_token == pytest.approx(sum(nats) / len(nats), abs=1e-9)
    assert found.protocol == f"windows: {length} tokens, nothing carried"


def sequences_of(part: Split) -> Iterator[list[int]]:
    assert part.starts is not None
    for begin, end in zip(part.starts, [*part.starts[1:], len(part.ids)], strict=True):
        yield part.ids[begin:end].tolist()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sequences_are_scored_from_their_start_to_their_end(name: str) -> None:
    corpus = language("brackets")
    model = untrained(name, corpus, **({"context": 500} if name == "transformer" else {}))
    marks = corpus.tokenizer.specials
    nats: list[float] = []
    for ids in sequences_of(corpus.valid):
        nats += token_by_token(model, [marks[".start"], *ids, marks[".end"]])
    found = evaluate_split(model, corpus)
    assert found.tokens == len(nats)
    assert found.figures.nats_per_token == pytest.approx(sum(nats) / len(nats), abs=1e-9)
    assert found.protocol == "fair: every sequence from its start"


def test_a_slice_of_sequences_holds_whole_ones_only() -> None:
    corpus = language("brackets")
    whole = list(sequences_of(corpus.train))
    for tokens in (1, 2, 25, 26, 27, 28, 10**6):
        ids, starts = beginning(corpus.train, tokens)
        kept = list(sequences_of(dataclasses.replace(corpus.train, ids=ids, starts=starts)))
        assert kept == whole[: len(kept)]
        assert len(kept) == 1 or len(ids) <= tokens
        assert len(kept) == len(whole) or len(ids) + len(whole[len(kept)]) > tokens


# -- figures


@pytest.mark.parametrize("tokenizer", ["char", "byte", "word", "bpe:300"])
def test_bits_per_character_and_byte_are_those_of_the_text(tokenizer: str, tiny_text: str) -> None:
    text = (tiny_text[:2000] + "naïve café – “quoted” ").replace("\n", " \n ") * 4
    corpus = load_text(text, DataSettings(tokenizer=tokenizer, split="70,30"))
    held_out = text[-corpus.valid.characters :]
    assert 0.25 * len(text) < len(held_out) < 0.35 * len(text)
    found = evaluate_split(untrained("gru", corpus), corpus)
    bits = found.figures.nats_per_token * found.tokens / math.log(2)
    assert found.figures.bits_per_character == pytest.approx(bits / len(held_out), rel=1e-12)
    assert found.figures.bits_per_byte == pytest.approx(bits / len(held_out.encode("utf-8")), rel=1e-12)
    assert found.figures.perplexity == pytest.approx(math.exp(found.figures.nats_per_token))


@pytest.mark.parametrize("tokenizer", ["char", "bpe:300"])
def test_a_slices_bits_are_those_of_the_text_that_it_spells(tokenizer: str, tiny_text: str) -> None:
    corpus = load_text(tiny_text[:8000], DataSettings(tokenizer=tokenizer))
    found = evaluate_split(untrained("gru", corpus), corpus, tokens=40)
    spelt = corpus.text("valid", 0, 40)
    bits = found.figures.nats_per_token * 40 / math.log(2)
    assert found.figures.bits_per_character == pytest.approx(bits / len(spelt), rel=1e-12)
    assert found.figures.bits_per_byte == pytest.approx(bits / len(spelt.encode()), rel=1e-12)


def test_the_figures_of_training_are_those_of_the_checkpoint_that_it_saved(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text, 30_000)
    for name, more in (("gru", {"ema": 0.9}), ("transformer", {}), ("lstm", {"precision": "bfloat16"})):
        settings = small(name, steps=6, eval_every=2, eval_tokens=900, keep=0, **more)
        run = train(corpus, tmp_path, name, **settings).run
        logged = {record["step"]: record for record in run.metrics() if record["event"] == "evaluation"}
        for checkpoint in run.checkpoints()[:-1]:
            with torch.autocast("cpu", torch.bfloat16, enabled="precision" in more):
                again = evaluate_split(run.model(checkpoint), corpus, tokens=900, warm=256)
            assert again.figures.nats_per_token == logged[checkpoint.step]["valid_nats"]
            assert again.protocol == logged[checkpoint.step]["protocol"]
        best = min(logged.values(), key=lambda record: record["valid_nats"])["step"]
        result = run.result()
        assert result is not None
        assert (result["best"]["step"], result["best"]["tokens"]) == (best, len(corpus.valid.ids))


def test_evaluation_leaves_the_model_in_the_mode_it_was_in(corpus: Corpus) -> None:
    model = untrained("gru", corpus, dropout=0.5)
    for mode in (True, False):
        model.train(mode)
        assert evaluate_split(model, corpus).as_dict() == evaluate_split(model, corpus).as_dict()
        assert model.training is mode
    assert all(weights.grad is None for weights in model.parameters())


def test_a_line_is_cut_as_if_the_token_before_stood_in_front(corpus: Corpus) -> None:
    ids = np.arange(10, 15, dtype=np.uint8)
    whole = [7, 10, 11, 12, 13, 14]
    for begin in range(6):
        for end in range(begin + 1, 7):
            assert Line(7, ids).cut(begin, end).tolist() == whole[begin:end]


def test_an_empty_or_unknown_split_is_refused(corpus: Corpus) -> None:
    empty = of_ids(corpus.train.ids, corpus.valid.ids, corpus)
    with pytest.raises(CorpusError, match=r"test split .* is empty"):
        evaluate_split(untrained("gru", corpus), empty, "test")
    with pytest.raises(SettingError, match="no split called"):
        evaluate_split(untrained("gru", corpus), corpus, "validation")
