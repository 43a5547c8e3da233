"""Streams of random lengths: every token in its place, the lengths' law, epochs by tokens, and the learning rate."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from glassloom.config import Config
from glassloom.data.batches import epoch_of
from glassloom.data.corpus import Split
from glassloom.data.random_lengths import RandomLengths
from glassloom.data.sampling import sampler
from glassloom.errors import RunError, SettingError
from glassloom.training import Stepped
from trainings import language, small, stream, train


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def streams(tokens: int = 10_000, rows: int = 4, length: int = 70, seed: int = 0) -> RandomLengths:
    return RandomLengths(np.arange(tokens, dtype=np.uint32), rows, length, rng(seed))


def test_rows_go_on_window_by_window_and_wrap_around_the_text() -> None:
    tokens, rows, length = 1003, 4, 20
    batches, found = streams(tokens, rows, length), []
    while batches.epoch < 6:
        found.append(next(batches))
    begins = [at for at, batch in enumerate(found) if batch.fresh.any()]
    assert len(begins) == 6
    assert all(batch.fresh.all() or not batch.fresh.any() for batch in found)
    offsets = set()
    for first, last in itertools.pairwise([*begins, len(found)]):
        read = torch.cat([batch.inputs for batch in found[first:last]], 1)
        said = torch.cat([batch.targets for batch in found[first:last]], 1)
        offset, used = int(read[0, 0]), read.shape[1]
        expected = (offset + 250 * torch.arange(rows)[:, None] + torch.arange(used)) % tokens
        assert torch.equal(read, expected)
        assert torch.equal(said, (expected + 1) % tokens)
        assert 249 - 5 < used <= 249, "what is left out is too short for a window"
        offsets.add(offset)
    assert len(offsets) == 6, "each epoch begins elsewhere"


def test_lengths_have_their_law() -> None:
    """Shares and means are held to 5 standard deviations; the seed is fixed."""
    batches, count = streams(2_000_000, 1, 70), 8000
    lengths = np.array([next(batches).inputs.shape[1] for _ in range(count)])
    assert batches.epoch < 1
    short = lengths < 52.5
    assert abs(short.mean() - 0.05) < 5 * math.sqrt(0.05 * 0.95 / count)
    for part, around in ((lengths[~short], 70), (lengths[short], 35)):
        assert abs(part.mean() + 0.5 - around) < 5 * 5 / math.sqrt(len(part))  # rounded down: half a token less
        assert abs(part.std() - 5) < 5 * 5 / math.sqrt(2 * len(part))
    assert lengths.max() <= 90
    few = [next(batches).inputs.shape[1] for batches in [streams(100_000, 1, 8)] for _ in range(500)]
    assert min(few) == 5
    assert (
        max(next(b).inputs.shape[1] for b in [RandomLengths(np.arange(9999), 1, 70, rng(), 72)] for _ in range(99))
        == 72
    )
    assert {next(b).inputs.shape[1] for b in [streams(500, 4, 3)] for _ in range(99)} >= {3}


def test_an_epoch_counts_the_tokens_that_were_read_and_its_steps_are_about_as_foretold() -> None:
    batches = streams(40_000, 4, 70)
    read, steps = 0, 0
    while batches.epoch < 1:
        assert batches.epoch == pytest.approx(read / 9999)
        read += next(batches).inputs.shape[1]
        steps += 1
    assert batches.epoch == 1.0
    assert read > 9999 - 5
    assert batches.steps_per_epoch == round(9999 / (0.975 * 70))
    assert abs(steps / batches.steps_per_epoch - 1) < 0.05


def test_the_epoch_of_a_saved_position_is_the_batches_own_and_other_batches_refuse_it() -> None:
    one = streams(1000, 4, 20, seed=3)
    for _ in range(14):
        next(one)
    saved = json.loads(json.dumps(one.state()))
    assert epoch_of(saved) == one.epoch
    split = Split("train", np.arange(1000, dtype=np.uint16), None, 1000, 1000)
    with pytest.raises(RunError, match="kind"):
        sampler(split, "streams", 4, 20, 0).restore(saved)


def test_the_learning_rate_goes_with_the_length_and_the_budget_with_the_tokens(tiny_text: str, tmp_path: Path) -> None:
    seen: list[Stepped] = []
    given = small("gru", batching="streams", sequence_length=20, batch_size=8, random_lengths=True, lr=0.01, epochs=2)

    def watch(event: object) -> None:
        if isinstance(event, Stepped):
            seen.append(event)

    corpus = stream(tiny_text, 6000)
    result = train(corpus, tmp_path, on_event=watch, **given)
    tokens = np.diff([0, *[step.tokens for step in seen]])
    assert len(set(tokens)) > 5
    assert [step.lr for step in seen] == pytest.approx((0.01 * tokens / 8 / 20).tolist())
    assert (seen[-1].epoch, seen[-1].progress) == (2.0, 1.0)
    assert seen[-2].epoch < 2
    assert result.run.newest().epoch == 2.0
    whole = (len(corpus.train.ids) // 8 - 1) * 8
    assert 2 * (whole - 8 * 5) < seen[-1].tokens <= 2 * whole
    more = train(corpus, tmp_path, resume=True, **{**given, "epochs": 2.5})
    assert more.steps > result.steps
    assert 2.5 <= more.run.newest().epoch < 2.6


@pytest.mark.parametrize("batching", ["windows", "padded"])
def test_other_batches_have_no_random_lengths(batching: str, tiny_text: str, tmp_path: Path) -> None:
    corpus = language() if batching == "padded" else stream(tiny_text)
    with pytest.raises(SettingError, match=f"random_lengths goes with streams of text, and the batches are {batching}"):
        train(corpus, tmp_path, **small(batching=batching, random_lengths=True, steps=2))
    assert not Config.from_flat({}).train.random_lengths
