"""What a model of a formal language has learned, held against the source itself, of which everything is known.

    excess       mean of ln p_true(string) - ln p_model(string) over strings of the true source: how many nats a string
                 the model's loss lies above the entropy, which no model's can be below
    divergence   Kullback-Leibler divergence of the model's next token from the true one, mean over the prefixes of true
                 strings; summed over a string its mean is the excess again (the chain rule), with less noise

Both are of the source's own strings, drawn anew: nothing of the training text is in them. What the model writes itself
is judged in `glassloom.views.written_strings`.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from glassloom.data.batches import Batch, sequences_in_order
from glassloom.data.languages import END, Language
from glassloom.data.tokenizers import Tokenizer
from glassloom.loss import token_nats
from glassloom.models.contract import LanguageModel
from glassloom.shapes import Logits

AT_ONCE = 65_536
"""Tokens of a batch, padding included; a longer string is a batch of its own."""


@dataclass(frozen=True)
class Estimate:
    """A mean over independent strings, and its standard error."""

    mean: float
    error: float
    count: int

    @classmethod
    def of(cls, values: np.ndarray) -> "Estimate":
        """The mean of values, one a string.

        >>> Estimate.of(np.array([1.0, 3.0]))
        Estimate(mean=2.0, error=1.0, count=2)
        """
        count = len(values)
        spread = float(values.std(ddof=1)) / math.sqrt(count) if count > 1 else math.nan
        return cls(float(values.mean()), spread, count)


@dataclass(frozen=True)
class Excess:
    """How far a model is above the floor of its language, in nats."""

    entropy_nats: float
    """A string's; the derivation's where the language's own is not known exactly."""
    loss_nats: float
    """The model's on the same strings."""
    excess: Estimate
    """Nats a string."""
    divergence: Estimate
    """Nats a token; the error is that of a mean over strings."""
    divergence_a_string: Estimate
    """Nats a string: another estimate of the excess."""

    @property
    def share(self) -> float:
        """The excess as a share of the entropy."""
        return self.excess.mean / self.entropy_nats

    @property
    def is_the_floor(self) -> bool:
        """Whether less than a hundredth of the loss could still be learned, or none that can be told from zero."""
        return self.share < 0.01 or self.excess.mean < 2 * self.excess.error


@dataclass(frozen=True)
class AtLength:
    """The excess over strings of one length, `times` as long as the longest string that was trained on."""

    length: int
    times: float
    excess: Estimate


def excess(
    model: LanguageModel, tokenizer: Tokenizer, language: Language, strings: Sequence[str], *, walked: int = 2_000
) -> Excess:
    """Excess and divergence over strings of the true source; the divergence over the first `walked` of them.

    >>> excess(run.model(), run.tokenizer, LANGUAGES["ndfa"], strings).excess.mean  # doctest: +SKIP
    0.0061
    """
    true, own = true_nats(language, strings), string_nats(model, tokenizer, strings)
    sums, counts = divergences(model, tokenizer, language, strings[:walked])
    a_token = float(sums.sum() / counts.sum())
    # The error of a ratio of sums, to first order.
    error = Estimate.of(sums - a_token * counts).error / float(counts.mean())
    return Excess(
        language.entropy_nats,
        float(own.mean()),
        Estimate.of(own - true),
        Estimate(a_token, error, len(sums)),
        Estimate.of(sums),
    )


def true_nats(language: Language, strings: Sequence[str]) -> np.ndarray:
    """-ln of each string's probability under the source."""
    return -np.array([language.log_probability(string) for string in strings])


def string_nats(model: LanguageModel, tokenizer: Tokenizer, strings: Sequence[str]) -> np.ndarray:
    """-ln of each string's probability under the model, its end included: every string from its start."""
    found = []
    for batch, logits in passes(model, tokenizer, strings):
        nats = token_nats(logits, batch.targets)
        assert batch.mask is not None
        found.append((nats * batch.mask).double().sum(1).numpy())
    return np.concatenate(found)


def divergences(
    model: LanguageModel, tokenizer: Tokenizer, language: Language, strings: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """For each string: the divergences at all its prefixes summed, in nats, and how many prefixes it has."""
    end = tokenizer.specials[END]
    index = cache(lambda symbol: end if symbol == END else int(tokenizer.encode(symbol)[0]))
    sums, walks = [], (language.walk(string) for string in strings)
    for _, logits in passes(model, tokenizer, strings):
        logs = logits.double().log_softmax(-1).numpy()
        for row in range(len(logs)):
            total = 0.0
            for place, distribution in enumerate(next(walks)):
                for symbol, probability in distribution.items():
                    if probability > 0:
                        own = float(logs[row, place, index(symbol)])
                        total += probability * (math.log(probability) - own)
            sums.append(total)
    return np.array(sums), np.array([len(string) + 1 for string in strings])


def passes(model: LanguageModel, tokenizer: Tokenizer, strings: Sequence[str]) -> Iterator[tuple[Batch, Logits]]:
    """The model's logits on strings, batch by batch in their order, a row a string."""
    ids = [tokenizer.encode(string) for string in strings]
    starts = np.cumsum([0, *(len(one) for one in ids)])[:-1]
    flat = np.concatenate(ids) if ids else np.empty(0, tokenizer.dtype)
    device = next(model.parameters()).device
    with torch.inference_mode():
        for batch in sequences_in_order(flat, starts, max_tokens=AT_ONCE, specials=tokenizer.specials):
            logits, _ = model(batch.inputs.to(device))
            yield batch, logits.cpu()


def possible_lengths(language: Language, wanted: Sequence[int]) -> list[int]:
    """For each length the next one, from there on, that some string has (within 64 symbols); none twice."""
    longest = max(wanted) + 64
    there = np.flatnonzero(language.length_probabilities(longest) > 0)
    found = (there[np.searchsorted(there, length) :][:1] for length in wanted)
    return list(dict.fromkeys(int(length[0]) for length in found if len(length)))


def excess_by_length(
    model: LanguageModel,
    tokenizer: Tokenizer,
    language: Language,
    trained: int,
    times: Sequence[float] = (0.1, 0.25, 0.5, 1, 2, 5, 10),
    *,
    count: int = 20,
    seed: int = 0,
) -> list[AtLength]:
    """The excess on strings of given lengths, as the source draws those of that length, beyond what was trained on.

    `trained` is the length of the longest string that the model was trained on; `times` are multiples of it.
    """
    found = []
    for length in possible_lengths(language, [max(1, round(trained * factor)) for factor in times]):
        strings = language.of_length(length, count, np.random.default_rng([seed, length]))
        above = string_nats(model, tokenizer, strings) - true_nats(language, strings)
        found.append(AtLength(length, length / trained, Estimate.of(above)))
    return found
