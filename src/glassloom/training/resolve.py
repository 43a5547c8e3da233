"""Make every automatic choice once, so that a run's settings are complete and a resumed run makes them again."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glassloom.config import Config, TrainSettings
from glassloom.data.batches import check_size, largest_batch_size
from glassloom.data.corpus import Corpus, load_corpus
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import SettingError, notice
from glassloom.models import settings_of
from glassloom.runs import Run
from glassloom.training.machine import resolve_machine

LOGITS = 8_000_000
"""A step computes no more logits than this by default: with a large vocabulary, more and smaller steps learn faster."""

SEQUENCE_LENGTH = 128
"""Tokens of a row in one step, for models whose reach has no bound."""


def settings_from(given: Mapping[str, Any], origin: Run | None) -> Config:
    """The settings as given (by plain names); with `origin` (`--from`), the model and tokenizer are that run's.

    Raises:
        SettingError: a setting is unknown or out of bounds, or would change the other run's model or tokenizer.
    """
    if origin is None:
        return Config.from_flat(given)
    kept = {"model": origin.config.architecture, **origin.config.model.model_dump()}
    text = {name: getattr(origin.config.data, name) for name in ("lowercase", "normalize")}
    unlike = ["model"] if given.get("model", kept["model"]) != kept["model"] else []
    config = Config.from_flat({**kept, **text, **given, "model": kept["model"]})
    asked = config.model.model_dump()
    unlike += [name for name in asked if asked[name] != kept.get(name)]
    if "tokenizer" in given and given["tokenizer"] not in ("auto", origin.tokenizer.name):
        unlike.append("tokenizer")
    if unlike:
        raise SettingError(
            f"{unlike[0]} cannot be changed when training goes on from run {origin.name}",
            f"{kept.get(unlike[0], origin.tokenizer.name)}, as that run has it",
            f"drop --{unlike[0].replace('_', '-')}, or train a new model without --from",
        )
    return config


def open_corpus(source: Any, config: Config, tokenizer: Tokenizer | None = None) -> Corpus:
    """The text as ids; a Corpus is taken as it is.

    Raises:
        SettingError: a Corpus was made with another tokenizer than the one that must be used.
    """
    if not isinstance(source, Corpus):
        return load_corpus(source, config.data, tokenizer=tokenizer)
    if tokenizer is not None and source.tokenizer.sha256 != tokenizer.sha256:
        raise SettingError(
            f"The corpus {source.name} was made with another tokenizer ({source.tokenizer.name}) than the run's",
            f"the run's own {tokenizer.name} tokenizer",
            "make the corpus with tokenizer=run.tokenizer",
        )
    return source


def resolve(config: Config, corpus: Corpus, given: Mapping[str, Any]) -> Config:
    """The complete settings for a text: nothing is `auto` any more.

    Rows and window are fitted to a short text where they were not asked for. What is unusual is said once nothing is
    refused any more.

    Raises:
        CorpusError: the text is too short for a window that was asked for.
        SettingError: a setting does not go with the text or the machine.
    """
    train = config.train
    sequences = corpus.train.starts is not None
    own = settings_of(config.architecture).training.get("batching", "streams")
    chosen = "padded" if sequences else own
    batching = chosen if train.batching == "auto" else train.batching
    context = getattr(config.model, "context", None)
    if train.random_lengths and batching != "streams":
        raise SettingError(
            f"random_lengths goes with streams of text, and the batches are {batching}",
            "batching streams, on a text that is one stream",
            "drop --random-lengths, or set --batching streams",
        )
    length = train.sequence_length or context or SEQUENCE_LENGTH
    if context and length > context and batching != "padded":
        raise SettingError(
            f"sequence_length is {length}, longer than the model's context of {context}",
            f"at most {context}",
            f"raise --context, or set --sequence-length {context}",
        )
    batch_size, max_tokens = train.batch_size, train.max_tokens
    notices = []
    if batching == "padded":
        batch_size, max_tokens = fitted_to_sequences(corpus, batch_size, max_tokens, given)
        if max_tokens != train.max_tokens:
            notices.append(f"The longest sequence has {max_tokens:,} tokens, and so have batches.")
    else:
        tokens, rows = len(corpus.train.ids), fewer_rows(batch_size, length * corpus.tokenizer.size, given)
        usual = (length, rows)
        length, batch_size = fitted(tokens, length, rows, given)
        if (length, batch_size) != usual:
            notices.append(f"The text is short ({tokens:,} tokens): batches have {batch_size} rows of {length} tokens.")
    if train.eval_protocol == "streams" and not sequences:
        check_streams(corpus, train, batch_size, length)
    config = config.with_data(tokenizer=corpus.tokenizer.name)
    name, amount = train.budget()
    config = config.with_train(
        batching=batching,
        sequence_length=length,
        batch_size=batch_size,
        max_tokens=max_tokens,
        **{name: int(amount) if name in ("steps", "train_tokens") else amount},
    )
    config = resolve_machine(config)
    for line in notices:
        notice(line)
    return config


def check_streams(corpus: Corpus, train: TrainSettings, batch_size: int, length: int) -> None:
    """Whether the held-out text can be scored under the protocol `streams`; said now, not at the first evaluation.

    Raises:
        SettingError: it is too short for so many rows.
    """
    tokens = min(len(corpus.valid.ids), train.eval_tokens or len(corpus.valid.ids))
    if (largest := largest_batch_size(tokens, length)) < batch_size:
        raise SettingError(
            f"{tokens:,} held-out tokens are too few for the protocol streams with {batch_size} rows of {length}",
            f"at most {largest} rows",
            "set --eval-protocol fair or --eval-tokens 0, or lower --batch-size",
        )


def fewer_rows(batch_size: int, logits_of_a_row: int, given: Mapping[str, Any]) -> int:
    """The rows of a batch, fewer for a large vocabulary where they were not asked for."""
    return batch_size if "batch_size" in given else max(1, min(batch_size, LOGITS // logits_of_a_row))


def fitted(tokens: int, length: int, batch_size: int, given: Mapping[str, Any]) -> tuple[int, int]:
    """Window and rows that a short text can fill, as far as they were not asked for.

    Raises:
        CorpusError: not even one window of the length that was asked for.
        SettingError: not the rows that were asked for.
    """
    asked = [name for name in ("sequence_length", "context") if name in given]
    if not asked and tokens > 1:
        length = min(length, max(1, tokens // 4 - 1))
    if "batch_size" not in given:
        batch_size = max(1, min(batch_size, largest_batch_size(tokens, length)))
    check_size(tokens, batch_size, length, named=asked[0] if asked else "sequence_length")
    return length, batch_size


def fitted_to_sequences(corpus: Corpus, batch_size: int, max_tokens: int, given: Mapping[str, Any]) -> tuple[int, int]:
    """The limits of padded batches: rows only where asked for, and tokens that the longest sequence fits into."""
    starts = corpus.train.starts
    if starts is not None and "max_tokens" not in given:
        longest = int(np.diff(starts, append=len(corpus.train.ids)).max()) + 1
        max_tokens = max(max_tokens, longest)
    return batch_size if "batch_size" in given else max_tokens, max_tokens
