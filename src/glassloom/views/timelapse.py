"""Timelapse: one prompt, one seed, continued by every checkpoint of a run, with the loss that each had.

The random numbers are the same at each checkpoint, so only the weights differ. A run keeps its best checkpoint and the
newest ones (`--keep`); what was written while it trained is in its samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.errors import notice
from glassloom.exhibits import Axis, Exhibit, Lines, Series, Text, Texts
from glassloom.generation import generate
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, decoding, subject

LENGTH, TEMPERATURE = 200, 0.7


@dataclass(frozen=True)
class Timelapse(View):
    """What each checkpoint wrote, the oldest first."""

    view = "timelapse"
    name: str
    prompt: str
    how: str
    steps: tuple[int, ...]
    texts: tuple[str, ...]
    valid_nats: Floats
    """`checkpoint`: the validation loss at that step; NaN where it was not measured"""
    text_nats: Floats
    """`checkpoint`: the mean loss of what it wrote, under the checkpoint itself at temperature 1"""

    def facts(self) -> dict[str, Any]:
        return {"run": self.name, "prompt": self.prompt, "how": self.how, "checkpoints": len(self.steps)}

    def arrays(self) -> Sequence[Labelled]:
        labels = {"checkpoint": tuple(f"step {step}" for step in self.steps)}
        return [
            Labelled("step", ("checkpoint",), np.array(self.steps), labels),
            Labelled("text", ("checkpoint",), np.array(self.texts, dtype=object), labels),
            Labelled("validation loss", ("checkpoint",), self.valid_nats, labels, "nats"),
            Labelled("loss of what it wrote", ("checkpoint",), self.text_nats, labels, "nats"),
        ]

    def exhibits(self) -> list[Exhibit]:
        texts = tuple(
            Text(label=f"step {step:,}", prompt=self.prompt, text=text, note=note(valid))
            for step, text, valid in zip(self.steps, self.texts, self.valid_nats, strict=True)
        )
        valid = tuple(None if np.isnan(each) else float(each) for each in self.valid_nats)
        return [
            Texts(name="timelapse", title="The same prompt and seed at every checkpoint", texts=texts,
                  caption=f"{self.how}; only the weights differ."),
            Lines(name="timelapse-loss", title="The checkpoints' losses", x=Axis("step"), y=Axis("nats a token"),
                  series=(Series(name="validation", x=self.steps, y=valid),
                          Series(name="what it wrote", x=self.steps, y=tuple(map(float, self.text_nats)))),
                  caption="On held-out text, where it was measured at that step; and of the text that the checkpoint "
                  "wrote, under itself at temperature 1."),
        ]  # fmt: skip


def note(valid_nats: float) -> str:
    """What is said of a checkpoint's loss."""
    return "validation loss not measured" if np.isnan(valid_nats) else f"validation loss {valid_nats:.4f} nats a token"


def timelapse(
    source: Source,
    prompt: str | None = None,
    *,
    length: int = LENGTH,
    temperature: float = TEMPERATURE,
    seed: int = 0,
) -> Timelapse:
    """What every whole checkpoint of a run makes of a prompt, the oldest first.

    >>> for step, text in zip(found.steps, found.texts): print(step, text)  # doctest: +SKIP

    Raises:
        InputError: it is no run, or it has no whole checkpoint.
    """
    of = subject(source)
    run = of.trained()
    prompt = prompt or ""
    settings = decoding(length, temperature, seed)
    steps, texts, valid, own = [], [], [], []
    for checkpoint in reversed(run.checkpoints()):
        if fault := checkpoint.fault():
            notice(f"The checkpoint of step {checkpoint.step:,} is passed over: {fault}.")
            continue
        [sample] = generate(run.model(checkpoint), run.tokenizer, prompt, settings)
        known = checkpoint.progress().get("valid_nats")
        steps.append(checkpoint.step)
        texts.append(sample.text)
        valid.append(np.nan if known is None else float(known))
        own.append(float(np.mean(sample.nats)))
    how = f"{length} tokens, " + (
        "the most probable" if temperature == 0 else f"temperature {temperature:g}, seed {seed}"
    )
    return Timelapse(run.name, prompt, how, tuple(steps), tuple(texts), np.array(valid), np.array(own))
