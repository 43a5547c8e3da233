"""What is looked at: a model with its tokenizer and, of a run, the text that it was trained on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import torch
from torch import Tensor

from glassloom.config import checked
from glassloom.data.corpus import Corpus
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError, RunError, TokenizerError
from glassloom.generation import DecodingSettings, encode_prompt
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import recording
from glassloom.runs import Run, own_corpus


@dataclass(frozen=True)
class Subject:
    """A model with its tokenizer; `run` where it is one, `text` a corpus where it is at hand without the run."""

    model: LanguageModel
    tokenizer: Tokenizer
    name: str = ""
    run: Run | None = None
    text: Corpus | None = None

    @cached_property
    def corpus(self) -> Corpus | None:
        """The text that it was trained on; None where that is unknown, or not there any more."""
        if self.text is not None or self.run is None:
            return self.text
        try:
            return own_corpus(self.run, otherwise="put it back")
        except RunError:
            return None

    def training_text(self) -> Corpus:
        """The text that it was trained on.

        Raises:
            InputError: that is unknown, or not there any more.
        """
        if self.corpus is None:
            raise InputError(
                f"The text that {self.name or 'the model'} was trained on is not at hand",
                "the text of the run, as it was",
                "put it back where it was, or look at something else",
            )
        return self.corpus

    def trained(self) -> Run:
        """The run.

        Raises:
            InputError: there is only a model.
        """
        if self.run is None:
            raise InputError("A model alone has no history", "a run, with its checkpoints and metrics", "give a run")
        return self.run


Source: TypeAlias = Subject | Run | tuple[LanguageModel, Tokenizer]
"""What every view takes: a run (its best checkpoint), a model with its tokenizer, or a Subject made of them."""


def subject(source: Source) -> Subject:
    """A source as a Subject."""
    if isinstance(source, Subject):
        return source
    if isinstance(source, Run):
        return Subject(source.model(), source.tokenizer, source.name, source)
    model, tokenizer = source
    return Subject(model, tokenizer, model.settings.architecture)


@dataclass(frozen=True)
class Reading:
    """A text as a model reads it: `given` (`.start` or nothing) and `ids`.

    The first of the ids is predicted only where something stands before it. `labels` are printable, one an id;
    `pieces` are what each id adds to the text: nothing where it only begins a character that a later one ends.
    """

    given: tuple[int, ...]
    ids: tuple[int, ...]
    labels: tuple[str, ...]
    pieces: tuple[str, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        """Everything that is read."""
        return (*self.given, *self.ids)

    @property
    def input_labels(self) -> tuple[str, ...]:
        """The labels of all that is read."""
        return (*((".start",) if self.given else ()), *self.labels)

    @property
    def unpredicted(self) -> int:
        """How many ids at the front are given, not predicted: 0 or 1."""
        return 0 if self.given else 1


def reading(tokenizer: Tokenizer, text: str | Sequence[int], at_least: int = 1) -> Reading:
    """A text (or its ids) as a model reads it. What a vocabulary of words lacks is read as `<unk>`, with a notice.

    Raises:
        InputError: it has fewer than `at_least` tokens.
        TokenizerError: it holds symbols that the model never saw.
    """
    try:
        ids = encode_prompt(tokenizer, text) if isinstance(text, str) else [int(index) for index in text]
    except TokenizerError as error:
        raise TokenizerError(
            error.what.replace("The prompt", "The text"), error.expected, "give a text without it"
        ) from None
    if any(not 0 <= index < tokenizer.size for index in ids):
        raise InputError(
            "These ids are not of this tokenizer", f"ids from 0 to {tokenizer.size - 1}", "give the text itself"
        )
    if len(ids) < at_least:
        wanted = "at least one token" if at_least == 1 else f"at least {at_least} tokens"
        what = "There is no text to look at" if not ids else f"The text has only {len(ids)} token{'s'[: len(ids) > 1]}"
        raise InputError(what, wanted, "give a longer text" if ids else "give some text")
    names, streamer = tokenizer.labels(), tokenizer.streamer()
    pieces = [streamer.push(index) for index in ids]  # never flushed: what is cut within a character adds no sign to it
    given = (tokenizer.specials[".start"],) if ".start" in tokenizer.specials else ()
    return Reading(given, tuple(ids), tuple(names[index] for index in ids), tuple(pieces))


def characters(pieces: Sequence[str], labels: Sequence[str]) -> list[tuple[range, str]]:
    """Which tokens are shown together, and as what: those that spell one character between them.

    Of such tokens only the last has a piece. A character that nothing ends is shown by the labels of its bytes.

    >>> characters(["a", "", "é", ""], ["a", "0xC3", "0xA9", "0xC3"])
    [(range(0, 1), 'a'), (range(1, 3), 'é'), (range(3, 4), '0xC3')]
    """
    found, begun = [], 0
    for place, (piece, label) in enumerate(zip(pieces, labels, strict=True)):
        if piece or not label.startswith("0x"):
            found.append((range(begun, place + 1), piece))
            begun = place + 1
    if begun < len(pieces):
        found.append((range(begun, len(pieces)), " ".join(labels[begun:])))
    return found


def decoding(length: int, temperature: float, seed: int) -> DecodingSettings:
    """How one continuation is written; temperature 0 takes the most probable tokens.

    Raises:
        SettingError: a value out of its bounds.
    """
    given = {"length": length, "greedy": temperature == 0, "temperature": temperature or 1.0, "seed": seed}
    found: DecodingSettings = checked(DecodingSettings, given)
    return found


@contextmanager
def looking(model: LanguageModel, *, gradients: bool = False) -> Iterator[None]:
    """The model in evaluation mode, and nothing recorded for gradients unless asked for, while the block runs."""
    was_training = model.training
    model.eval()
    try:
        with torch.enable_grad() if gradients else torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def as_tokens(model: LanguageModel, rows: Sequence[Sequence[int]]) -> Tensor:
    """Rows of ids as the tensor that the model takes."""
    return torch.tensor([list(row) for row in rows], dtype=torch.long, device=next(model.parameters()).device)


def windows(model: LanguageModel, inputs: Sequence[int], whole: bool = False) -> Iterator[tuple[Sequence[int], int]]:
    """The pieces of a text that a model reads under the protocol `fair`, each with how many of its last places count.

    So a text costs in every view what `evaluate` says of it: a recurrent model's state is carried through one pass; a
    bounded context sees windows of its length with a stride of half, but a sequence (`whole`), which begins at
    `.start`, is one pass.
    """
    context = model.context
    if context is None or len(inputs) <= context or whole:
        yield inputs, len(inputs)
        return
    stride = max(1, context // 2)
    yield inputs[:context], context
    for done in range(context, len(inputs), stride):
        end = min(done + stride, len(inputs))
        yield inputs[end - context : end], end - done


def how_read(model: LanguageModel, inputs: Sequence[int], whole: bool = False) -> str:
    """In words how `windows` reads a text."""
    if model.context is None or len(inputs) <= model.context or whole:
        return "in one pass"
    return (
        f"in windows of {model.context} tokens, each {max(1, model.context // 2)} further on, as evaluate does (fair)"
    )


ONE_PASS = "in one pass"
"""What a view says that looks along a whole text at once, so that a text beyond a bounded context may cost otherwise
than in `surprise`."""


def hidden_over(model: LanguageModel, inputs: Sequence[int], whole: bool = False) -> Tensor:
    """The vector that the output layer reads after each input, `time width`, under the protocol `fair`: `windows`."""
    pieces = [
        model.hidden(as_tokens(model, [part]))[0][0, len(part) - count :]
        for part, count in windows(model, inputs, whole)
    ]
    return torch.cat(pieces)


def recorded_over(
    model: LanguageModel, inputs: Sequence[int], wanted: Callable[[str], bool], whole: bool = False
) -> dict[str, Tensor]:
    """Inner values over a text under the protocol `fair`: those with `time` next to last, and `logits`, by name.

    Nothing of the text comes after the last input, so the windows are laid without it, and it is read by one more.
    """
    found: dict[str, list[Tensor]] = {}
    pieces = list(windows(model, inputs, whole))
    if len(pieces) > 1:
        pieces = [*windows(model, inputs[:-1], whole), (inputs[-(model.context or 0) :], 1)]
    for part, count in pieces:
        with recording(model) as values:
            values["logits"], _ = model(as_tokens(model, [part]))
        for name, value in values.items():
            if wanted(name):
                found.setdefault(name, []).append(value[..., value.shape[-2] - count :, :])
    return {name: torch.cat(parts, dim=-2) for name, parts in found.items()}
