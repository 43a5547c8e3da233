"""What a comparison found, as plain data: the content of `results.json`.

A `Comparison` holds everything that a table, a figure, a recommendation or a page shows, and nothing that shows it. It
goes to JSON and back without loss. JSON has no infinity: a figure that is not finite is None here, and its row's status
says why.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError

from glassloom.errors import InputError, nearest
from glassloom.units import Unit, in_unit, unit_of

Status: TypeAlias = Literal["finished", "diverged", "failed", "interrupted"]
STRICT = ConfigDict(extra="forbid", strict=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Size:
    """How long one split is, in three units; and what its words outside the vocabulary cost to spell."""

    __pydantic_config__ = STRICT

    tokens: int
    characters: int
    bytes: int
    spelling_nats: float = 0.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reading:
    """How one run read the text: in which tokens, split in which way."""

    __pydantic_config__ = STRICT

    sizes: dict[str, Size]
    """By split: train, valid, test."""
    vocabulary: int
    tokenizer: str
    memorises: bool = False
    """Whether its valid is the very text that it was trained on: then its figures say nothing of other text."""

    def nats_in(self, unit: Unit, nats: float | None, split: str = "valid") -> float | None:
        """A loss in nats per token of that split, in a unit; None where no float holds it."""
        size = self.sizes[split]
        return in_unit(nats, unit, size.tokens, size.characters, size.spelling_nats)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusFacts(Reading):
    """The text that all rows were trained on, as the first of them read it."""

    name: str
    source: str
    sha256: str
    split_rule: str
    mixed: bool = False
    """Whether the rows read it in different tokens, so that neither nats per token nor perplexities compare."""

    @property
    def unit(self) -> Unit:
        """The unit that figures of this text are read in: one that all rows share."""
        return "bits_per_character" if self.mixed else unit_of(self.tokenizer)

    def in_unit(self, nats: float | None, split: str = "valid") -> float | None:
        """A loss in nats per token of that split, in `unit`; None where no float holds it."""
        return self.nats_in(self.unit, nats, split)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """One run: what was set, what it reached, and what that cost.

    >>> told = {"id": "gru-1", "setting": "gru", "model": "gru", "seed": 1, "optimizer": "adam", "settings": {}}
    >>> Row.without_figures(**told, run="", status="failed", reason="no memory").seconds is None
    True
    """

    __pydantic_config__ = STRICT

    id: str
    """Unique among the rows."""
    setting: str
    """What rows share that differ in nothing but the seed; their mean and spread stand for it."""
    model: str
    seed: int
    optimizer: str
    settings: dict[str, Any]
    run: str
    """The run folder."""
    status: Status
    reason: str | None
    """Why the run did not finish; None where it did."""
    epoch: float | None
    """Passes over the training text when the validation loss was best."""
    seconds: float | None
    """Wall-clock time of training when the validation loss was best."""
    total_seconds: float | None
    parameters: int | None
    steps: int | None
    tokens: int | None
    """Tokens trained on, repetitions counted."""
    tokens_per_second: float | None
    train_perplexity: float | None
    """At the best epoch, with dropout on."""
    valid_perplexity: float | None
    """At the best epoch, under the protocol of evaluation in training."""
    valid_perplexity_fair: float | None
    """Of the best checkpoint, under the protocol that is the same for all."""
    nats_per_token: float | None
    """The loss behind `valid_perplexity_fair`."""
    valid_bits_per_character: float | None
    """The same loss as `nats_per_token`."""
    valid_bits_per_byte: float | None
    spelling_share: float | None = None
    """Of these bits, the share that spells words which the vocabulary lacks; None where it lacks none."""
    reading: Reading | None = None
    """How this run read the text, where it did not read it as the comparison's `corpus` says."""

    def __post_init__(self) -> None:
        lost = without_infinities(self)
        object.__setattr__(self, "settings", plain(self.settings))
        if lost and self.status == "finished":
            object.__setattr__(self, "status", "diverged")
            object.__setattr__(self, "reason", self.reason or f"{', '.join(lost)}: not finite")

    @classmethod
    def without_figures(
        cls,
        *,
        id: str,
        setting: str,
        model: str,
        seed: int,
        optimizer: str,
        settings: Mapping[str, Any],
        run: str,
        status: Status,
        reason: str | None,
    ) -> "Row":
        """A run that gave no figure at all; `dataclasses.replace` adds those that there are."""
        told: dict[str, Any] = {
            "id": id, "setting": setting, "model": model, "seed": seed, "optimizer": optimizer,
            "settings": dict(settings), "run": run, "status": status, "reason": reason,
        }  # fmt: skip
        figures: dict[str, Any] = {field.name: None for field in dataclasses.fields(cls) if field.name not in told}
        return cls(**told, **figures)

    def read_as(self, corpus: Reading) -> Reading:
        """How this run read the text of a comparison."""
        return self.reading or corpus

    @property
    def in_training_nats(self) -> float | None:
        """The loss behind `valid_perplexity`, in nats per token."""
        return math.log(self.valid_perplexity) if self.valid_perplexity else None


@dataclasses.dataclass(frozen=True, kw_only=True)
class BaselineFigures:
    """What a simple method reaches on the same held-out text."""

    __pydantic_config__ = STRICT

    nats_per_token: float | None
    perplexity: float | None
    bits_per_character: float | None
    bits_per_byte: float | None

    def __post_init__(self) -> None:
        without_infinities(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Protocols:
    """How the two validation figures were measured: a sentence each, which names the protocol and its slice."""

    __pydantic_config__ = STRICT

    in_training: str
    fair: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Point:
    """One moment of a run; the losses are in nats per token, None where nothing was measured at that moment."""

    __pydantic_config__ = STRICT

    step: int
    epoch: float
    tokens: int
    seconds: float
    train_nats: float | None
    valid_nats: float | None

    def __post_init__(self) -> None:
        without_infinities(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curve:
    """One row's losses while it learned."""

    __pydantic_config__ = STRICT

    id: str
    """Of the row."""
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContinuedText:
    """What a row's model wrote after a prompt, beside what really stands there."""

    __pydantic_config__ = STRICT

    id: str
    """Of the row."""
    prompt: str
    text: str
    truth: str | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Copies:
    """How much of what a row's model wrote on its way stands word for word in the training text.

    Stretches of at least `at_least` of `unit` (characters, or words) count as copied; beside them the same figures of
    held-out text of the samples' lengths, which nobody copied, where anything was held out.
    """

    __pydantic_config__ = STRICT

    id: str
    """Of the row."""
    unit: str
    at_least: int
    steps: tuple[int, ...]
    longest: tuple[int, ...]
    """The longest copy in the sample of that step."""
    share: tuple[float, ...]
    """The share of that sample that is copied."""
    held_out_longest: float | None
    """The mean over stretches of held-out text; None where there is none."""
    held_out_share: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recommendation:
    """Which setting to take, computed from the rows; the names are those of settings."""

    __pydantic_config__ = STRICT

    sentences: tuple[str, ...]
    generalization: str | None
    """The setting with the lowest loss on text that it was not trained on; None where there is none."""
    time: str | None
    """The fastest setting of the front."""
    front: tuple[str, ...]
    """The settings that nothing beats on both time and loss, the fastest first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison:
    """Many runs on one text, and what they found."""

    __pydantic_config__ = STRICT

    title: str
    command: str
    """What to type to repeat it."""
    date: str
    """ISO 8601."""
    corpus: CorpusFacts
    budget: str
    """A sentence: what every run was given."""
    baselines: dict[str, BaselineFigures]
    protocols: Protocols
    rows: tuple[Row, ...]
    curves: tuple[Curve, ...]
    samples: tuple[ContinuedText, ...]
    copies: tuple[Copies, ...]
    recommendation: Recommendation
    environment: dict[str, Any]

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", plain(self.environment))
        ids = [row.id for row in self.rows]
        assert len(set(ids)) == len(ids), f"ids of rows must differ: {ids}"

    def as_dict(self) -> dict[str, Any]:
        """Plain dicts and lists, as `--json` prints them."""
        return dict(plain(dataclasses.asdict(self)))

    def to_json(self) -> str:
        """The content of `results.json`; every number in it is finite."""
        return json.dumps(self.as_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Comparison":
        """The comparison that `to_json` wrote.

        Raises InputError naming the first key that is unknown, missing, or of another type.
        """
        try:
            return _READER.validate_json(text)
        except ValidationError as error:
            raise _refusal(error) from None


_READER = TypeAdapter(Comparison)
_PARTS = (
    Comparison, Row, CorpusFacts, Reading, Size, BaselineFigures, Protocols, Point, Curve, ContinuedText, Copies,
    Recommendation,
)  # fmt: skip
_KEYS = sorted({field.name for part in _PARTS for field in dataclasses.fields(part)})


def plain(value: Any) -> Any:
    """A value as JSON has it: keys are strings, tuples are lists, an infinity is its name, anything else its text."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def without_infinities(record: Any) -> list[str]:
    """Set a frozen record's figures that are not finite to None; the names of those that were."""
    lost = []
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, float) and not math.isfinite(value):
            object.__setattr__(record, field.name, None)
            lost.append(field.name)
    return lost


def _refusal(error: ValidationError) -> InputError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the file"
    match first["type"]:
        case "missing":
            return InputError(f"These results lack {where}", "every key that Glassloom writes", "write them anew")
        case "unexpected_keyword_argument":
            fix = nearest(str(first["loc"][-1]), _KEYS)
            return InputError(f"These results have an unknown key, {where}", "the keys that Glassloom writes", fix)
        case "json_invalid":
            return InputError(f"These results are not JSON: {first['msg']}", "a results.json", "write them anew")
    return InputError(f"In these results {where} does not fit", first["msg"], "write them anew")
