"""`glassloom doctor`: why a model does not learn; findings on a file of somebody's code, or on a run of ours."""

import json as notation
import shutil
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.options import COMMAND, DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import aside, print_json, say
from glassloom.errors import InputError

if TYPE_CHECKING:
    from glassloom.doctor import Diagnosis

SET = Parameter(
    name="--set", metavar="KEY=VALUE", help="A keyword argument of the builder; may be repeated.", group=COMMAND
)


def doctor(
    target: Annotated[str, Parameter(help="A file, FILE.py or FILE.py:builder, or a run.", group=COMMAND)] = "",
    *,
    corpus: Annotated[str | None, option("A text to try the model on, instead of a known language.", "FILE")] = None,
    time_first: Annotated[bool, switch("The model takes tokens as time, batch.")] = False,
    set: Annotated[tuple[str, ...], SET] = (),
    timeout: Annotated[float, option("Stop the examination after so many seconds.", "SECONDS")] = 120.0,
    seed: Annotated[int, option("Where the random inputs and new models begin.", "N")] = 0,
    explain: Annotated[
        str | None, option("Explain one finding's name instead; without a name, list them all.", "NAME")
    ] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Find out why a model does not learn, by measuring it: any PyTorch code, or a run.

    FILE.py defines build_model(vocab_size), which returns a torch.nn.Module that takes tokens (batch, time) and returns
    logits (batch, time, vocab), and, if it likes, compute_loss(logits, targets), build_optimizer(model),
    train_step(model, optimizer, inputs, targets), make_batch(tokens, batch_size, length, generator) and
    generate(model, prompt, length). The file's code is run, with all that you yourself may do: read a file from
    elsewhere before its first run. Exit code 0: healthy, 1: sick, 2: could not be examined.
    """
    if explain is not None:
        return explained(explain, json)
    if not target:
        raise InputError("Nothing was given to examine", "a file, as in glassloom doctor FILE.py, or a run")
    diagnosis = diagnosed(target, corpus, time_first, set, timeout, seed, runs, json)
    if json:
        print_json(diagnosis.to_json())
    else:
        show(diagnosis)
    return 1 if diagnosis.verdict == "sick" else 0


def diagnosed(
    target: str,
    corpus: str | None,
    time_first: bool,
    set: tuple[str, ...],
    timeout: float,
    seed: int,
    runs: str,
    quiet: bool,
) -> "Diagnosis":
    """Examine what the target is: a file of code, or a run."""
    file, builder = parted(target)
    if not file.endswith(".py"):
        return run_examined(target, runs, seed, quiet)
    from glassloom.doctor.file import examine_file

    return examine_file(
        file,
        builder,
        text=read_text(corpus),
        time_first=time_first,
        settings=dict(pair(one) for one in set),
        seed=seed,
        timeout=timeout,
        say=None if quiet else lambda doing: aside(f"  {doing}"),
    )


def run_examined(target: str, runs: str, seed: int, quiet: bool) -> "Diagnosis":
    """The diagnosis of a run: of its model, and of its history."""
    from glassloom.doctor.history import examine_run
    from glassloom.runs import load_run

    path = load_run(target, runs).path
    return examine_run(path, seed=seed, watch=None if quiet else lambda doing, found: aside(f"  {doing}"))


def all_named(arguments: list[str]) -> list[str]:
    """The arguments with an empty name after an `--explain` that has none.

    >>> all_named(["doctor", "--explain", "--json"])
    ['doctor', '--explain', '', '--json']
    """
    found = []
    for word, following in zip(arguments, [*arguments[1:], "--"], strict=True):
        found += [word, ""] if word == "--explain" and following.startswith("--") else [word]
    return found


def parted(target: str) -> tuple[str, str]:
    """FILE.py and the builder's name behind a colon, which may be missing.

    >>> parted("model.py:small")
    ('model.py', 'small')
    """
    file, colon, builder = target.rpartition(":")
    return (file, builder) if colon and file.endswith(".py") else (target, "")


def pair(text: str, flag: str = "--set") -> tuple[str, Any]:
    """KEY=VALUE, the value as JSON where it is JSON, else as text.

    >>> pair("width=64"), pair("cell=gru"), pair("tied=true")
    (('width', 64), ('cell', 'gru'), ('tied', True))
    """
    key, sign, value = text.partition("=")
    if not sign or not key.isidentifier():
        raise InputError(
            f"{flag} {text} cannot be read", f"KEY=VALUE, as in {flag} width=64", "put = between name and value"
        )
    try:
        return key, notation.loads(value)
    except ValueError:
        return key, {"True": True, "False": False, "None": None}.get(value, value)


def read_text(corpus: str | None) -> str | None:
    """The text of a corpus, as everywhere in Glassloom."""
    if corpus is None:
        return None
    if Path(corpus).is_file():
        return Path(corpus).read_text(encoding="utf-8", errors="replace")
    from glassloom.data import load_corpus

    return load_corpus(corpus).text("train", 0, 200_000)


def explained(name: str, json: bool) -> int:
    """Print the page on one name, or, for an empty name, every name with its title."""
    from glassloom.doctor.explain import listing, names, page

    if not name:
        if json:
            print_json({"names": {one: entry.title for one, entry in names().items()}})
        else:
            say(listing())
        return 0
    text, entry = page(name), names()[name]
    if json:
        print_json({"name": name, "title": entry.title, "means": entry.means, "fix": entry.fix, "page": text})
    else:
        say(text)
    return 0


def show(diagnosis: "Diagnosis") -> None:
    """The verdict, and each finding as a paragraph."""
    from glassloom.doctor.explain import names

    known = names()
    count = len(diagnosis.findings)
    say(f"{diagnosis.verdict}: {count} finding{'s' if count != 1 else ''}")
    for number, found in enumerate(diagnosis.findings, 1):
        title = known[found.name].title
        say(f"\n{number}. {found.name} ({found.severity}): {title}")
        paragraph(found.explanation)
        paragraph("measured: " + ", ".join(f"{key} {value_of(value)}" for key, value in found.evidence.items()))
        paragraph(f"to do: {found.fix}")
    for missed in diagnosis.measured.get("not_measured", []):
        aside(f"not measured: {missed}")


def paragraph(text: str) -> None:
    """Three spaces in; in a terminal broken into its lines, elsewhere one line, as programs read it more easily."""
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    say(textwrap.fill(text, max(room, 40), initial_indent="   ", subsequent_indent="   ") if room else f"   {text}")


def value_of(value: Any) -> str:
    """A piece of evidence in short."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {value_of(part)}" for key, part in value.items()) + ")"
    return ", ".join(value_of(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
