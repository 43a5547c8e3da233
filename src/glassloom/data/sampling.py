"""Which kind of batches a training reads: by the name that the setting `batching` has."""

from collections.abc import Mapping

import numpy as np

from glassloom.data.batches import Padded, Sampler, Streams, Windows
from glassloom.data.corpus import Split
from glassloom.data.random_lengths import RandomLengths
from glassloom.errors import SettingError, nearest

BATCHINGS = ("streams", "windows", "padded")
"""The kinds of batch, as the setting `batching` names them."""


def sampler(
    split: Split,
    batching: str,
    batch_size: int | None,
    sequence_length: int,
    seed: int,
    max_tokens: int | None = None,
    specials: Mapping[str, int] | None = None,
    random_lengths: bool = False,
    longest: int | None = None,
) -> Sampler:
    """The sampler that `batching` names (one of BATCHINGS), over a split of a corpus.

    `sequence_length` is for streams and windows, `random_lengths` (at most the `longest`) for streams, `max_tokens` and
    `specials` (the tokenizer's) for padded sequences. Raises SettingError or CorpusError where the text cannot fill
    such batches, naming what would work.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    if batching == "padded":
        if split.starts is None:
            raise SettingError(
                f"The {split.name} split is one stream of text and has no sequences to pad",
                "batching streams or windows",
                "set batching to windows, or read the text as lines or paragraphs",
            )
        return Padded(
            split.ids, split.starts, batch_size=batch_size, max_tokens=max_tokens, specials=specials or {}, rng=rng
        )
    if batching not in BATCHINGS:
        raise SettingError(f"batching is {batching!r}", f"one of {', '.join(BATCHINGS)}", nearest(batching, BATCHINGS))
    if batch_size is None:
        raise SettingError(f"batching {batching} has no batch_size", "a number of rows", "set batch_size")
    if batching == "windows":
        return Windows(split.ids, batch_size, sequence_length, rng)
    if random_lengths:
        return RandomLengths(split.ids, batch_size, sequence_length, rng, longest)
    return Streams(split.ids, batch_size, sequence_length)
