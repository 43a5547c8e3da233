"""The view `memorised`: which stretches of a given or a generated text stand in the training text, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.exhibits import Exhibit
from glassloom.generation import generate
from glassloom.views.labelled import Labelled, View
from glassloom.views.memorised import Memorised, memorised, memorised_exhibits, span_of
from glassloom.views.subject import Source, decoding, reading, subject

LENGTH, TEMPERATURE = 400, 0.7


@dataclass(frozen=True)
class CopiedText(View):
    """One text against the training text; see `glassloom.views.memorised` for what counts as copied."""

    view = "memorised"
    name: str
    label: str
    """How the text came about."""
    text: str
    found: Memorised

    def facts(self) -> dict[str, Any]:
        [sample] = self.found.samples
        return {
            "model": self.name,
            "text": self.label,
            "unit": self.found.unit,
            "searched": self.found.searched,
            "stretches from": self.found.at_least,
            "longest copy": sample.longest_copy,
            "share copied": sample.share,
            "longest by chance": self.found.by_chance,
        }

    def arrays(self) -> Sequence[Labelled]:
        """Of each stretch: where it begins and ends in the text (characters), and where train has it first (units)."""
        [sample] = self.found.samples
        spans = [span_of(self.text, stretch, self.found.unit) for stretch in sample.stretches]
        rows = [(*span, stretch.place) for span, stretch in zip(spans, sample.stretches, strict=True)]
        values = np.array(rows, dtype=np.int64).reshape(len(rows), 3)
        words = np.array([self.text[slice(*span)] for span in spans], dtype=object)
        return [
            Labelled("longest copy", (), np.array(sample.longest_copy), unit=self.found.unit),
            Labelled("share copied", (), np.array(sample.share)),
            Labelled("longest by chance", (), np.array(self.found.by_chance), unit=self.found.unit),
            Labelled("stretches", ("stretch", "figure"), values, {"figure": ("begin", "end", "place in train")}),
            Labelled("words", ("stretch",), words),
        ]

    def exhibits(self) -> list[Exhibit]:
        return memorised_exhibits({self.label: self.text}, self.found)


def copied_text(
    source: Source,
    text: str | Sequence[int] | None = None,
    *,
    at_least: int | None = None,
    length: int = LENGTH,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> CopiedText:
    """Which stretches of the text (or, without one, of a sample of the model) stand in its training text, and where.

    >>> copied_text(run).facts()["longest copy"]  # doctest: +SKIP
    19

    Raises:
        InputError: the training text is not at hand.
    """
    of = subject(source)
    corpus = of.training_text()
    if text is None:
        settings = decoding(length, temperature, seed)
        [sample] = generate(of.model, of.tokenizer, "", settings)
        how = "the most probable tokens" if temperature == 0 else f"temperature {temperature:g}, seed {seed}"
        label, text = f"{len(sample.ids)} tokens of {of.name}, {how}", sample.text
    else:
        label = "the text given"
        text = text if isinstance(text, str) else "".join(reading(of.tokenizer, text).pieces)
    return CopiedText(of.name, label, text, memorised([text], corpus, at_least=at_least))
