"""Many samples of a model of strings, each from its start to its end."""

from glassloom.generation import DecodingSettings, generate
from glassloom.generation.sample import Sample
from glassloom.models.contract import LanguageModel
from glassloom.runs import Checkpoint, Run

AT_ONCE = 1_000
"""Samples side by side; they keep their seeds, so this changes none of them."""


def strings_of(
    run: Run, count: int, *, longest: int = 2_000, seed: int = 0, checkpoint: Checkpoint | None = None
) -> list[str | None]:
    """`count` samples at temperature 1, to the end or at most `longest` tokens; None for what is no string.

    That is: no end came, or a mark such as .pad stands in it.
    """
    return [string_in(run, sample) for sample in samples_of(run, run.model(checkpoint), count, longest, seed)]


def samples_of(run: Run, model: LanguageModel, count: int, longest: int, seed: int) -> list[Sample]:
    """The samples themselves."""
    found: list[Sample] = []
    for first in range(0, count, AT_ONCE):
        settings = DecodingSettings(length=longest, count=min(AT_ONCE, count - first), seed=seed + first)
        found += generate(model, run.tokenizer, "", settings)
    return found


def string_in(run: Run, sample: Sample) -> str | None:
    """The string that a sample is, if it is one."""
    marks = {index for name, index in run.tokenizer.specials.items() if name != ".end"}
    return sample.text if sample.stopped == "end" and marks.isdisjoint(sample.ids) else None
