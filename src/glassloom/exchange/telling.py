"""What a page says about the model on it: what it is, what it was trained on, and how good it is; all from the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError
from glassloom.models.contract import LanguageModel
from glassloom.models.summary import parameter_count
from glassloom.runs import Checkpoint, Run


@dataclass(frozen=True)
class About:
    """What a reader is told of an architecture, and the file of JavaScript that runs it.

    In `works`, `{unit}`, `{numbers}`, `{layers}`, `{heads}` and `{context}` stand for the model's own.
    """

    name: str
    short: str
    script: str
    works: str


RECURRENT = (
    "It reads the text one {unit} at a time and has {numbers} to remember it by. Every {unit} changes them, and from "
    "them it says how probable each next {unit} is. "
)
ARCHITECTURES = {
    "rnn": About(
        "simple recurrent network", "RNN", "recurrent.js",
        RECURRENT + "All numbers change at every step, so that what is long ago fades quickly.",
    ),
    "gru": About(
        "gated recurrent unit", "GRU", "recurrent.js",
        RECURRENT + "Gates, learned like everything else, decide for each number how much of it is kept and how much "
        "is new.",
    ),
    "lstm": About(
        "long short-term memory", "LSTM", "recurrent.js",
        RECURRENT + "Behind each number stands a cell: one gate decides what enters it, one what stays in it, and one "
        "what of it is shown.",
    ),
    "transformer": About(
        "transformer", "", "transformer.js",
        "It keeps the last {context} {unit}s at hand. At each {unit}, {heads} in each of {layers} "
        "choose which of them to look at, and how much to take from each; from what they gather it says how probable "
        "each next {unit} is.",
    ),
}  # fmt: skip
"""The architectures that a page can run."""

UNITS = {"char": "character", "byte": "byte", "word": "word", "bpe": "piece"}
METHODS = {
    "uniform": "every {unit} equally likely",
    "unigram": "how often each {unit} occurs",
    "bigram": "the {unit} before, counted",
    "kneser-ney-5": "the four {unit}s before, counted (Kneser-Ney)",
    "xz": "a compressor (xz)",
}
"""Simple methods in a reader's words, by their names in `corpus.json`."""


@dataclass(frozen=True)
class Line:
    """How good one method is, in the page's unit; `share` of the worst line, in percent, is the length of its bar."""

    name: str
    about: str
    value: float
    share: float
    is_model: bool


@dataclass(frozen=True)
class Told:
    """What the page says."""

    title: str
    kind: str
    unit: str
    works: str
    script: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    measured_in: str
    judged: str
    prompt: str
    date: str


def about(architecture: str) -> About:
    """What there is to say about an architecture.

    Raises:
        InputError: no page can run it.
    """
    if architecture not in ARCHITECTURES:
        raise InputError(
            f"A page cannot run the architecture {architecture}",
            f"one of {', '.join(ARCHITECTURES)}",
            "export it to another format",
        )
    return ARCHITECTURES[architecture]


def told_of(run: Run, checkpoint: Checkpoint, model: LanguageModel) -> Told:
    """Everything that a page says about a run's model."""
    settings, facts = run.config.model, run.corpus
    known, unit = about(settings.architecture), unit_of(run.tokenizer)
    own = settings.model_dump()
    widths = getattr(settings, "layer_widths", None)
    counts = {
        "unit": unit,
        "numbers": numbers(widths or ()),
        "layers": counted(own["layers"], "layer"),
        "heads": counted(own.get("heads", 0), "attention head"),
        "context": f"{own.get('context', 0):,}",
    }
    lines, measured_in, judged = losses(run, checkpoint, unit)
    prompts = [str(sample["prompt"]) for sample in run.samples() if sample.get("prompt")]
    return Told(
        title=f"A {known.name} that has read {facts['name']}",
        kind=f"{known.name} ({known.short})" if known.short else known.name,
        unit=unit,
        works=known.works.format_map(counts),
        script=known.script,
        facts=tuple(model_facts(run, checkpoint, model, unit)),
        lines=lines,
        measured_in=measured_in,
        judged=judged,
        prompt=prompts[-1] if prompts else "",
        date=str(run.environment["date"]),
    )


def unit_of(tokenizer: Tokenizer) -> str:
    """What a tokenizer's ids are, in a word."""
    return UNITS.get(tokenizer.kind, "token")


def counted(count: float, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "layer"), counted(1200, "step")
    ('1 layer', '1,200 steps')
    """
    return f"{count:,.0f} {noun}{'s' * (count != 1)}"


def numbers(widths: Sequence[int]) -> str:
    """What a recurrent model remembers by.

    >>> numbers([8]), numbers([8, 8]), numbers([8, 16])
    ('8 numbers', '8 numbers in each of 2 layers', '8 + 16 numbers in 2 layers')
    """
    if len(set(widths)) > 1:
        return f"{' + '.join(f'{width:,}' for width in widths)} numbers in {len(widths)} layers"
    each = f" in each of {len(widths)} layers" if len(widths) > 1 else ""
    return f"{counted(max(widths, default=0), 'number')}{each}"


def model_facts(run: Run, checkpoint: Checkpoint, model: LanguageModel, unit: str) -> list[tuple[str, str]]:
    """Size, vocabulary, text and training, each with its name.

    The text's name only: where it lay on the machine that trained is nobody's concern.
    """
    progress, corpus = checkpoint.progress(), run.corpus
    settings = run.config.model.model_dump(exclude_defaults=True)
    train = corpus["sizes"]["train"]
    size = counted(train["characters"], "character")
    if "sequences" in train:
        size = f"{counted(train['sequences'], 'sequence')}, {size}"
    seconds = float(progress["seconds"])
    spent = counted(seconds / 60, "minute") if seconds >= 90 else counted(seconds, "second")
    found = [
        ("Architecture", run.config.architecture),
        ("Parameters", f"{parameter_count(model):,}, each in 16 bits"),
        ("Vocabulary", counted(run.tokenizer.size, unit)),
        ("Training text", f"{corpus['name']}: {size}"),
        ("Training", f"{counted(checkpoint.step, 'step')} in {spent}; {counted(progress['tokens'], unit)} read"),
    ]
    if corpus.get("definition"):
        found.insert(3, ("The language", str(corpus["definition"])))
    if settings:
        changed = "; ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
        found.insert(1, ("Settings", changed))
    return found


def losses(run: Run, checkpoint: Checkpoint, unit: str) -> tuple[tuple[Line, ...], str, str]:
    """The model among the simple methods, the worst first; the unit; and what it was measured on.

    The loss is that of the whole held-out text where training has measured it for this checkpoint, else the one on the
    way, on a part of that text.
    """
    best: dict[str, Any] = (run.result() or {}).get("best") or {}
    baselines = run.corpus.get("baselines") or {}
    whole = best.get("step") == checkpoint.step and best.get("nats_per_token") is not None
    nats = best["nats_per_token"] if whole else checkpoint.progress().get("valid_nats")
    key = "bits_per_character"
    in_bits = whole and best.get(key) is not None and all(line.get(key) is not None for line in baselines.values())
    own = best[key] if in_bits else nats
    measured_in = "bits a character" if in_bits else f"nats a {unit}"
    found = {name: line[key if in_bits else "nats_per_token"] for name, line in baselines.items()}
    if own is not None:
        found["this model"] = own
    worst = max(found.values(), default=0.0)
    lines = tuple(
        Line(name, METHODS.get(name, "").format(unit=unit), value, 100 * value / worst, name == "this model")
        for name, value in sorted(found.items(), key=lambda item: -item[1])
    )
    memorises = run.config.data.memorises
    text = "the very text that it was trained on" if memorises else "text that it has never seen"
    judged = f"on {text}" if whole else f"on a part of {text}, in the middle of training"
    return lines, measured_in, judged
