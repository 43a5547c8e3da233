"""The average of several models' probabilities, token by token: what unlike models know together.

    p(token) = sum_i w_i p_i(token)      w_i >= 0, sum_i w_i = 1
    nats     = -log sum_i exp(log w_i - nats_i)

Every model is scored alone, under the protocol of its kind, and the losses of its tokens lie in a temporary file, so
that memory does not grow with the text: 8 bytes of disk for each token and model.

Since p >= w_i p_i, the average is never worse than model i by more than -log w_i: with equal weights, than the best one
by more than log(models).
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Unpack

import numpy as np

from glassloom.data.corpus import Corpus
from glassloom.errors import RunError, SettingError, notice
from glassloom.models.contract import LanguageModel
from glassloom.runs import Run
from glassloom.storage import storing
from glassloom.training.evaluation import Evaluation, How, Measurement, measurement, nothing_to_score, scoring
from glassloom.training.opening import open_model

AT_ONCE = 2**18
"""Tokens that are mixed at once."""
GAIN, ROUNDS = 1e-10, 2000
"""Weights are improved until a round gains less than so many nats a token, but no more often."""


@dataclass(frozen=True)
class Losses:
    """What each of several models gives each token of a split, in nats, and what that was measured on."""

    nats: tuple[np.ndarray, ...]
    """A model after another; mapped from the disk."""
    measured: tuple[Measurement, ...]

    @property
    def tokens(self) -> int:
        """How many tokens are scored."""
        return len(self.nats[0])

    def alone(self, number: int) -> Evaluation:
        """One model's own figures."""
        return self.measured[number].evaluation(float(np.sum(self.nats[number])), self.tokens)

    def together(self, weights: Sequence[float]) -> Evaluation:
        """The figures of the average with these weights, which sum to 1."""
        nats = sum(float(mixed(part, weights).sum()) for part in self.parts())
        protocols = list(dict.fromkeys(each.protocol for each in self.measured))
        named = ", ".join(f"{weight:.3f}" for weight in weights)
        protocol = f"the average of {len(weights)} runs' probabilities, weights {named}; {' and '.join(protocols)}"
        return self.measured[0].evaluation(nats, self.tokens, protocol)

    def parts(self) -> Iterator[np.ndarray]:
        """The losses `models tokens`, so many tokens at once."""
        for begin in range(0, self.tokens, AT_ONCE):
            yield np.stack([one[begin : begin + AT_ONCE] for one in self.nats])

    def best_weights(self) -> tuple[float, ...]:
        """The weights under which the average has the lowest loss on these very tokens.

        By expectation and maximisation (Dempster et al. 1977) from equal weights: w_i becomes the mean over the tokens
        of w_i p_i / p. The loss is convex in the weights, so there is one lowest value, and no round goes up.
        """
        weights, before = np.full(len(self.nats), 1 / len(self.nats)), np.inf
        for _ in range(ROUNDS):
            shares, nats = np.zeros(len(self.nats)), 0.0
            for part in self.parts():
                loss = mixed(part, weights)
                nats += float(loss.sum()) / self.tokens
                shares += np.exp(loss - part).sum(1) / self.tokens
            weights = weights * shares
            weights /= weights.sum()
            if before - nats < GAIN:
                break
            before = nats
        return tuple(weights.tolist())


def mixed(nats: np.ndarray, weights: Sequence[float] | np.ndarray) -> np.ndarray:
    """The loss of each token under the average: `models tokens` -> `tokens`.

    >>> found = mixed(-np.log([[0.5, 0.1], [0.25, 0.3]]), [0.5, 0.5])
    >>> np.exp(-found).round(6).tolist()
    [0.375, 0.2]
    """
    with np.errstate(divide="ignore"):
        logs = np.log(np.asarray(weights, dtype=np.float64))  # a weight of 0 takes no part
    return -np.logaddexp.reduce(logs[:, None] - nats, axis=0)


def evaluate_together(
    runs: Sequence[Run], corpus: Corpus, split: str = "valid", *, weights: Sequence[float] | str | None = None,
    **how: Unpack[How],
) -> tuple[Evaluation, tuple[dict[str, Any], ...]]:  # fmt: skip
    """The figures of the average of several runs' best checkpoints, and of each run by itself.

    `weights` is one number for each run, or `valid`: those that are best on the whole validation split; equal ones
    where it is None. They are never chosen on another split. `how` as `measurement` is told.

    Raises:
        RunError: the runs have unlike tokenizers, so that their probabilities are those of unlike things.
        SettingError: the weights cannot be used.
    """
    check_alike(runs)
    if isinstance(weights, str) and weights != "valid":
        raise SettingError(
            f"Weights cannot be chosen on {weights}", "valid, or one number for each run", "say --weights valid"
        )
    chosen = checked_weights([1] * len(runs) if weights is None or isinstance(weights, str) else weights, len(runs))
    models, autocasts = zip(*(open_model(run) for run in runs), strict=True)
    if weights == "valid":
        whole: How = {**how, "tokens": 0}
        with token_losses(models, corpus, "valid", autocasts=autocasts, **whole) as losses:
            chosen = losses.best_weights()
    with token_losses(models, corpus, split, autocasts=autocasts, **how) as losses:
        alone = [losses.alone(number) for number in range(len(runs))]
        found = losses.together(chosen)
    own = (
        {"run": run.name, "model": run.config.architecture, "weight": weight,
         "nats_per_token": one.figures.nats_per_token, "protocol": one.protocol}
        for run, weight, one in zip(runs, chosen, alone, strict=True)
    )  # fmt: skip
    return found, tuple(own)


def check_alike(runs: Sequence[Run]) -> None:
    """Whether the runs give their probabilities to the same tokens; with a notice where their texts differ.

    Raises:
        RunError: one has another tokenizer than the first.
    """
    first = runs[0]
    for run in runs[1:]:
        if run.tokenizer.sha256 != first.tokenizer.sha256:
            raise RunError(
                f"Run {run.name} has another tokenizer than {first.name} ({run.tokenizer.name} of "
                f"{run.tokenizer.size:,} tokens, not {first.tokenizer.name} of {first.tokenizer.size:,})",
                "runs that cut a text into the same tokens, for only their probabilities can be averaged",
                f"leave {run.name} out, or train it on the text of {first.name}",
            )
        if run.corpus["fingerprint"] != first.corpus["fingerprint"]:
            notice(
                f"Run {run.name} was trained on another text than {first.name}, or on another part of it: what is "
                "scored may stand in it."
            )


def checked_weights(weights: Sequence[float], models: int) -> tuple[float, ...]:
    """Weights as shares that sum to 1.

    >>> checked_weights([3, 1], 2)
    (0.75, 0.25)

    Raises:
        SettingError: not one for each model, one below 0 or not finite, or all 0.
    """
    found = [float(weight) for weight in weights]
    total = sum(found)
    if len(found) != models or not all(0 <= weight < np.inf for weight in found) or not 0 < total < np.inf:
        raise SettingError(
            f"The weights {', '.join(f'{weight:g}' for weight in found) or 'given'} cannot be those of {models} runs",
            "one number for each run, none below 0 and not all 0",
            "say --weights 0.6,0.4 for two runs, or --weights valid to choose them on the validation split",
        )
    return tuple(weight / total for weight in found)


@contextmanager
def token_losses(
    models: Sequence[LanguageModel],
    corpus: Corpus,
    split: str = "valid",
    *,
    autocasts: Sequence[AbstractContextManager[Any]] = (),
    **how: Unpack[How],
) -> Iterator[Losses]:
    """Score a split by each model; `how` as `measurement` is told. The files go when the block ends.

    Raises:
        CorpusError: the split is empty.
        StorageError: there is no room for the temporary files.
    """
    measured, found = [], []
    with ExitStack() as files:
        for number, model in enumerate(models):
            one = measurement(model, corpus, split, **how)
            with storing(Path(tempfile.gettempdir()), "the environment variable TMPDIR"):
                file = files.enter_context(tempfile.TemporaryFile())
                with scoring(model, autocasts[number] if autocasts else nullcontext()):
                    write(one, file)
            found.append(np.memmap(file, dtype=np.float64, mode="r"))
            measured.append(one)
        assert len({len(one) for one in found}) == 1, "every model scores the same tokens"
        yield Losses(tuple(found), tuple(measured))


def write(measured: Measurement, file: IO[bytes]) -> None:
    """Every token's loss at its place in a file."""
    count = 0
    for piece in measured.pieces:
        for begin, size, row in zip(piece.begins, piece.counts, piece.nats.cpu().numpy(), strict=True):
            file.seek(8 * begin)
            file.write(row[:size].tobytes())
            count += size
    if not count:
        raise nothing_to_score()
    file.flush()
