"""Batches: the reference's counts, every token in its place, and positions that can be saved and taken up again."""

import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from glassloom.data.batches import (
    Batch,
    Padded,
    Sampler,
    Streams,
    Windows,
    largest_batch_size,
    sequences_in_order,
)
from glassloom.data.random_lengths import RandomLengths
from glassloom.data.sampling import sampler
from glassloom.errors import CorpusError, Notice, RunError, SettingError

SPECIALS = {".pad": 100, ".start": 101, ".end": 102}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def some_sequences(count: int = 40, longest: int = 9) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """Ids, starts, and the sequences themselves; all tokens differ, so a sequence is known by its tokens."""
    sizes = rng(5).integers(1, longest + 1, count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    ids = np.arange(1000, 1000 + sizes.sum(), dtype=np.uint16)
    return ids, starts, [ids[a : a + n].tolist() for a, n in zip(starts, sizes, strict=True)]


@pytest.mark.parametrize(
    ("tokens", "batch_size", "steps", "scored"),
    [(929_589, 128, 207, 927_360), (929_589, 20, 1327, 928_900), (73_760, 128, 16, 71_680), (73_760, 20, 105, 73_500)],
)
def test_streams_make_the_updates_and_score_the_tokens_of_reference_a(
    tokens: int, batch_size: int, steps: int, scored: int
) -> None:
    streams = Streams(np.arange(tokens, dtype=np.uint32), batch_size, 35)
    assert streams.steps_per_epoch == steps
    batches = [next(streams) for _ in range(steps)]
    assert sum(batch.tokens for batch in batches) == scored
    assert streams.epoch == 1.0
    for row in (0, 1, batch_size - 1):
        begin = row * (tokens // batch_size)
        read = torch.cat([batch.inputs[row] for batch in batches])
        said = torch.cat([batch.targets[row] for batch in batches])
        assert torch.equal(read, torch.arange(begin, begin + steps * 35))
        assert torch.equal(said, read + 1)


def test_streams_are_fresh_at_the_start_of_an_epoch_only() -> None:
    streams = Streams(np.arange(22, dtype=np.uint8), 2, 3)
    fresh = [next(streams).fresh.tolist() for _ in range(7)]
    assert fresh == [[True, True], *[[False, False]] * 2] * 2 + [[True, True]]


def test_windows_are_random_stretches_whose_every_offset_can_come() -> None:
    windows = Windows(np.arange(50, 62, dtype=np.uint8), 2, 4, rng())
    seen: Counter[int] = Counter()
    for _ in range(400):
        batch = next(windows)
        assert batch.fresh.all()
        assert torch.equal(batch.targets, batch.inputs + 1)
        assert torch.equal(batch.inputs, batch.inputs[:, :1] + torch.arange(4))
        seen.update(batch.inputs[:, 0].tolist())
    assert set(seen) == set(range(50, 58))  # a given offset is missed with odds (7/8)^800 < 1e-46
    assert min(seen.values()) > 50  # 100 expected, 5 deviations off


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.uint64])
def test_ids_of_every_unsigned_type_become_int64(dtype: type) -> None:
    for batches in (Streams(np.arange(30, dtype=dtype), 2, 3), Windows(np.arange(30, dtype=dtype), 2, 3, rng())):
        batch = next(batches)
        assert batch.inputs.dtype == batch.targets.dtype == torch.int64


def test_padded_gives_every_sequence_exactly_once_an_epoch_within_the_limit() -> None:
    ids, starts, sequences = some_sequences()
    padded = Padded(ids, starts, max_tokens=30, specials=SPECIALS, rng=rng())
    orders = []
    for _ in range(3):
        seen = []
        for _ in range(padded.steps_per_epoch):
            batch = next(padded)
            assert batch.mask is not None
            assert batch.inputs.numel() <= 30
            assert batch.fresh.all()
            for inputs, targets, mask in zip(batch.inputs, batch.targets, batch.mask, strict=True):
                length = int(mask.sum())
                assert mask[:length].all()
                assert inputs[0] == SPECIALS[".start"]
                assert targets[length - 1] == SPECIALS[".end"]
                assert inputs[1:length].tolist() == targets[: length - 1].tolist()
                assert set(inputs[length:].tolist()) | set(targets[length:].tolist()) <= {SPECIALS[".pad"]}
                seen.append(inputs[1:length].tolist())
        assert sorted(seen) == sequences
        orders.append(seen)
    assert orders[0] != orders[1] != orders[2]
    assert padded.epoch == 3.0


def test_padded_rows_of_one_batch_have_like_lengths() -> None:
    ids, starts, _ = some_sequences(200)
    padded = Padded(ids, starts, batch_size=10, specials=SPECIALS, rng=rng())
    batches = [next(padded) for _ in range(padded.steps_per_epoch)]
    assert padded.steps_per_epoch == 20
    assert sum(batch.inputs.numel() for batch in batches) < 1.1 * sum(batch.tokens for batch in batches)


def test_without_start_and_end_the_first_token_is_given_and_single_symbols_are_left_out() -> None:
    ids, starts = np.array([1, 2, 3, 4, 5, 6], dtype=np.uint8), np.array([0, 3, 4])
    with pytest.warns(Notice, match="1 sequences hold nothing to predict"):
        padded = Padded(ids, starts, batch_size=5, specials={}, rng=rng())
    batch = next(padded)
    assert batch.tokens == 3
    rows = {tuple(row[mask].tolist()) for row, mask in zip(batch.inputs, batch.mask, strict=True)}
    said = {tuple(row[mask].tolist()) for row, mask in zip(batch.targets, batch.mask, strict=True)}
    assert (rows, said) == ({(1, 2), (5,)}, {(2, 3), (6,)})


def test_evaluation_reads_the_sequences_in_the_order_of_the_text() -> None:
    ids, starts, sequences = some_sequences()
    batches = list(sequences_in_order(ids, starts, max_tokens=30, specials=SPECIALS))
    rows = [row[mask].tolist() for batch in batches for row, mask in zip(batch.targets, batch.mask, strict=True)]
    assert rows == [[*sequence, SPECIALS[".end"]] for sequence in sequences]
    assert max(batch.inputs.numel() for batch in batches) <= 30
    longer = list(sequences_in_order(ids, starts, max_tokens=4, specials=SPECIALS))
    assert sum(batch.tokens for batch in longer) == sum(batch.tokens for batch in batches)


def make_streams(seed: int) -> Sampler:
    return Streams(np.arange(500, dtype=np.uint16), 4, 7)


def make_windows(seed: int) -> Sampler:
    return Windows(np.arange(500, dtype=np.uint16), 4, 7, rng(seed))


def make_padded(seed: int) -> Sampler:
    ids, starts, _ = some_sequences()
    return Padded(ids, starts, max_tokens=30, specials=SPECIALS, rng=rng(seed))


def make_random_lengths(seed: int) -> Sampler:
    return RandomLengths(np.arange(500, dtype=np.uint16), 4, 20, rng(seed))


@pytest.mark.parametrize("make", [make_streams, make_windows, make_padded, make_random_lengths])
@pytest.mark.parametrize("before", [0, 1, 11, 17, 60])
def test_a_saved_position_goes_on_with_the_very_next_batch(make: Callable[[int], Sampler], before: int) -> None:
    original = make(1)
    for _ in range(before):
        next(original)
    saved = json.loads(json.dumps(original.state()))
    resumed = make(2)
    next(resumed)
    resumed.restore(saved)
    assert resumed.epoch == original.epoch
    for _ in range(40):
        ours, theirs = next(resumed), next(original)
        assert torch.equal(ours.inputs, theirs.inputs)
        assert torch.equal(ours.targets, theirs.targets)
        assert torch.equal(ours.fresh, theirs.fresh)
    assert resumed.state() == original.state()


def test_a_position_of_other_batches_is_refused() -> None:
    with pytest.raises(RunError, match="kind 'windows'"):
        make_streams(0).restore(make_windows(0).state())
    with pytest.raises(RunError, match="steps_per_epoch"):
        Streams(np.arange(900), 4, 7).restore(make_streams(0).state())


def test_windows_over_a_file_of_two_gigabytes_read_only_their_own_tokens(tmp_path) -> None:
    path = tmp_path / "ids.bin"
    with path.open("wb") as file:
        file.truncate(2 * 1024**3)  # a hole: it takes no room on the disk
    ids = np.memmap(path, dtype=np.uint16, mode="r")
    tracemalloc.start()
    try:
        windows, streams = Windows(ids, 64, 128, rng()), Streams(ids, 64, 128)
        for _ in range(20):
            next(windows)
            next(streams)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4e6


def test_a_batch_can_be_dealt_into_smaller_ones() -> None:
    batch = next(make_padded(0))
    parts = batch.split(2)
    assert len(parts) == 2
    assert sum(part.tokens for part in parts) == batch.tokens
    assert torch.equal(torch.cat([part.inputs for part in parts]), batch.inputs)
    whole = next(make_streams(0))
    assert [part.inputs.shape[0] for part in whole.split(3)] == [2, 2]
    assert whole.to("cpu").mask is None
    assert isinstance(batch.to("cpu"), Batch)


@pytest.mark.parametrize("kind", ["streams", "windows"])
def test_a_batch_larger_than_the_text_can_fill_is_told_what_would_work(kind: str) -> None:
    split = SimpleNamespace(name="train", ids=np.arange(100, dtype=np.uint8), starts=None)
    with pytest.raises(SettingError, match="a batch size of at most 10"):
        sampler(split, kind, 11, 9, seed=0)
    assert largest_batch_size(100, 9) == 10
    assert next(sampler(split, kind, 10, 9, seed=0)).tokens == 90
    with pytest.raises(CorpusError, match="set sequence_length to 99 or less"):
        sampler(split, kind, 1, 100, seed=0)
    assert next(sampler(split, kind, 1, 99, seed=0)).tokens == 99
    with pytest.raises(SettingError, match="at least 1"):
        sampler(split, kind, 0, 9, seed=0)


def test_sampler_chooses_by_name_and_refuses_what_does_not_fit() -> None:
    ids, starts, _ = some_sequences()
    stream = SimpleNamespace(name="train", ids=ids, starts=None)
    listed = SimpleNamespace(name="train", ids=ids, starts=starts)
    assert isinstance(sampler(stream, "streams", 2, 5, seed=0), Streams)
    assert isinstance(sampler(listed, "windows", 2, 5, seed=0), Windows)
    assert isinstance(sampler(listed, "padded", None, 5, seed=0, max_tokens=30, specials=SPECIALS), Padded)
    with pytest.raises(SettingError, match="no sequences to pad"):
        sampler(stream, "padded", 2, 5, seed=0)
    with pytest.raises(SettingError, match="did you mean windows"):
        sampler(stream, "window", 2, 5, seed=0)
    with pytest.raises(SettingError, match="no batch_size"):
        sampler(stream, "streams", None, 5, seed=0)
    with pytest.raises(SettingError, match="max_tokens of at least 10"):
        sampler(listed, "padded", None, 5, seed=0, max_tokens=6, specials=SPECIALS)
    with pytest.raises(SettingError, match="no limit"):
        sampler(listed, "padded", None, 5, seed=0, specials=SPECIALS)
    with pytest.raises(CorpusError, match="two symbols"):
        Padded(ids[:2], np.array([0, 1]), batch_size=1, specials={}, rng=rng())


def test_the_seed_decides_the_windows() -> None:
    split = SimpleNamespace(name="train", ids=np.arange(500), starts=None)
    first, same, other = (next(sampler(split, "windows", 4, 7, seed)).inputs.tolist() for seed in (3, 3, 4))
    assert first == same != other
