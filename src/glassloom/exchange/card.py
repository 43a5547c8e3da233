"""The model card: what the model is, what it was trained on, and how good it is beside simple methods; from the run."""

import re
import shlex
from pathlib import PurePath

from glassloom.exchange.telling import about, counted, losses, unit_of
from glassloom.models.contract import LanguageModel
from glassloom.models.summary import parameter_count
from glassloom.runs import Checkpoint, Run


def card(run: Run, checkpoint: Checkpoint, model: LanguageModel, use: str, library: str = "transformers") -> str:
    """The card of a checkpoint as Markdown; `use` is the code that opens the model beside it."""
    corpus, progress, unit = run.corpus, checkpoint.progress(), unit_of(run.tokenizer)
    kind = about(run.config.architecture)
    changed = run.config.model.model_dump(exclude_defaults=True, mode="json")
    settings = ", ".join(f"{name} {value}" for name, value in changed.items()) or "the defaults"
    facts = [
        ("Architecture", f"{kind.name} (`{run.config.architecture}`)"),
        ("Settings", settings),
        ("Parameters", f"{parameter_count(model):,}"),
        ("Vocabulary", f"{counted(run.tokenizer.size, unit)}, tokenizer `{run.tokenizer.name}`"),
        ("Training", f"{counted(checkpoint.step, 'step')}, {counted(progress['tokens'], unit)} read"),
        ("Date", str(run.environment.get("date", "not known"))),
    ]
    rows = [("Text", plain(str(corpus["name"])))]
    if corpus.get("definition"):
        rows.append(("Language", plain(str(corpus["definition"]))))
    for split, size in corpus["sizes"].items():
        sequences = f", {counted(size['sequences'], 'sequence')}" if "sequences" in size else ""
        rows.append((split, f"{counted(size['characters'], 'character')}, {counted(size['tokens'], unit)}{sequences}"))
    rows.append(("SHA-256", f"`{corpus['sha256']}`"))
    lines, measured_in, judged = losses(run, checkpoint, unit)
    measured = [(line.name + (f" ({line.about})" if line.about else ""), f"{line.value:.3f}") for line in lines]
    head = ["---", f"library_name: {library}", "pipeline_tag: text-generation", "tags:", "- glassloom"]
    parts = [
        "\n".join([*head, f"- {run.config.architecture}", "---"]),
        f"# {plain(run.name)}",
        f"A {kind.name} that has read {plain(str(corpus['name']))}, trained with Glassloom.",
        use,
        "## The model",
        table(("", ""), facts),
        "## What it was trained on",
        table(("", ""), rows),
        "## How good it is",
        f"In {measured_in}, {judged}; less is better.",
        table(("", measured_in), measured) if measured else "Its loss was not measured.",
        "## How it was made",
        f"```sh\n{command(run)}\n```",
        "The model continues text in the manner of what it has read. It knows nothing else, and nothing that it says "
        "was checked.",
    ]
    return "\n\n".join(parts) + "\n"


def command(run: Run) -> str:
    """The command that trained the run; of paths their last part only: where they lay is nobody's concern.

    A command of several lines would break out of its block, so it is one line here.
    """
    given = " ".join(str(run.environment.get("command") or "glassloom train").split())
    try:
        words = shlex.split(given)
    except ValueError:  # a quotation mark that nobody closed
        words = given.split()
    return shlex.join(PurePath(word).name if "/" in word or "\\" in word else word for word in words).replace("`", "")


def table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    """A table of two columns."""
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)]
    return "\n".join(lines)


def plain(text: str) -> str:
    """A text from elsewhere as one line without a sign that Markdown or HTML would act on.

    >>> plain("a|b\\n<i>")
    'a\\\\|b \\\\<i\\\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", " ".join(text.split()))
