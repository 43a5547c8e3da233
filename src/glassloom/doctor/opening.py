"""Finding out how a model can be called at all: sizes, precision, layout, the largest token and the longest window."""

import inspect as signatures
from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.doctor.passes import Layout, NoLogitsError, Passer, find_layout, logits_in
from glassloom.doctor.subject import Subject
from glassloom.errors import InputError

LENGTHS = (8, 12, 16, 6, 4, 3, 2, 24, 32, 48, 64, 128, 256, 512)
BATCHES = (3, 2, 4, 8, 1, 16, 32)
LONG = 31
"""How far back sensitivities are looked at: a prime, which no width is likely to equal."""
EXPECTED = (
    "build_model(vocab_size) that returns a torch.nn.Module, which takes tokens (batch, time) of type int64 and "
    "returns logits (batch, time, vocab), or a tuple whose first item they are"
)

FIX = "call the model yourself with torch.randint(vocab_size, (3, 8)) and mend what fails"


@dataclass(frozen=True)
class Opened:
    """How the model can be called."""

    passer: Passer
    batch: int
    time: int
    long: int
    """The longest window that was tried and works, at most LONG (or `time`, where only that works)."""
    known: int
    """The tokens from 0 to here, without this one, can be given to the model."""
    width: int
    """The last axis of the logits."""
    square_only: bool = False
    """Only as many rows as positions can be given."""

    @property
    def subject(self) -> Subject:
        """Whose model it is."""
        return self.passer.subject

    def tokens(self, seed: int, batch: int | None = None, time: int | None = None) -> Tensor:
        """Random ids, uniform and independent."""
        generator = torch.Generator().manual_seed(self.subject.seed + 13 * seed)
        shape = (batch or self.batch, time or self.time)
        return torch.randint(self.known, shape, generator=generator, device="cpu")


def opened(subject: Subject) -> Opened:
    """Try sizes until logits come out; raises InputError where none do."""
    refused = refused_arguments(subject)
    try:
        Passer(subject, exact=False).model()
    except Exception as error:
        raise InputError(f"The model could not be built: {told(error)}", EXPECTED, refused or FIX) from error
    failure: Exception | None = None
    shapes = [(batch, time) for time in LENGTHS for batch in BATCHES[:1]]
    shapes += [(batch, time) for batch in BATCHES[1:] for time in (8, 16, 32, 64)] + [(n, n) for n in (4, 8, 16)]
    for known in dict.fromkeys((subject.vocabulary, subject.vocabulary - 1, subject.vocabulary // 2, 4, 2)):
        for batch, time in shapes:
            try:
                layout = tried(subject, batch, time, known)
            except Exception as error:
                if failure is None or isinstance(error, NoLogitsError):
                    failure = error
                if isinstance(error, IndexError) and batch == BATCHES[0] and time > 16:
                    break  # a token beyond the embedding, most likely: fewer tokens next
                continue
            return settle(subject, layout, batch, time, known)
    assert failure is not None
    raise InputError(f"No logits came out of the model: {told(failure)}", EXPECTED, FIX) from failure


def refused_arguments(subject: Subject) -> str:
    """What to do where the builder does not take the vocabulary and the settings that were given; else nothing."""
    try:
        takes = signatures.signature(subject.build)
    except (TypeError, ValueError):
        return ""
    try:
        takes.bind(subject.vocabulary, **subject.settings)
    except TypeError:
        return f"it takes {takes}: give what has no default with --set NAME=VALUE, and nothing that it does not know"
    return ""


def tried(subject: Subject, batch: int, time: int, known: int) -> Layout:
    """The layout, where tokens of this size and range can be given."""
    module = Passer(subject, exact=False).model()
    tokens = (known - 1 - torch.arange(batch * time).remainder(known)).reshape(batch, time)
    return find_layout(module, tokens, subject.time_first)


def settle(subject: Subject, layout: Layout, batch: int, time: int, known: int) -> Opened:
    """Decide on the precision and on the longest window."""
    passer = Passer(subject, layout)
    start = Opened(passer, batch, time, time, known, 0, square_only=batch == time)
    tokens = start.tokens(1)
    exact = works(passer, tokens)
    passer = passer.with_(exact=exact)
    width = logits_in(Passer(subject, layout, exact=False).reader().raw(tokens))
    columns = width.shape[1] if layout.channels else width.shape[-1]
    longest = time
    if not start.square_only:
        for length in (LONG, 23, 17, 13, 11):
            if length > time and works(passer, start.tokens(1, time=length)):
                longest = length
                break
    return Opened(passer, batch, time, longest, known, columns, start.square_only)


def works(passer: Passer, tokens: Tensor) -> bool:
    """Whether the model takes these tokens in this precision, and answers in it with as many logits as it should."""
    try:
        logits = passer.reader()(tokens)
    except Exception:
        return False
    return logits.dtype == passer.dtype or not passer.exact


def told(error: BaseException) -> str:
    """An error's kind and its first line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
