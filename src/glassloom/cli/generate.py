"""`glassloom generate RUN`: let a run continue a prompt, token by token."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import flags_of, given
from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import print_json, say
from glassloom.errors import InputError
from glassloom.generation import DecodingSettings

if TYPE_CHECKING:
    from glassloom.generation import Stream

Decoding: Any = flags_of(DecodingSettings)
NOTHING_GIVEN = Decoding()
PROMPT = Parameter.combine(
    option("What to continue; - reads standard input.", "TEXT"),
    Parameter(allow_leading_hyphen=True, show_default=False),
)


def generate(
    run: str,
    /,
    *,
    prompt: Annotated[str, PROMPT] = "",
    skip_unknown: Annotated[bool, switch("Leave out of the prompt what the model never saw.")] = False,
    step: Annotated[int | None, option("Which checkpoint; the best if not given.", "N")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
    decoding: Annotated[Decoding, Parameter(name="*")] = NOTHING_GIVEN,
) -> None:
    """Let a run continue a prompt, token by token.

    For example: glassloom generate my-run --prompt "Once upon"
                 glassloom generate my-run --temperature 0.7 --length 500
                 glassloom generate my-run --greedy --stop "."

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    from glassloom.api import stream

    text = read_prompt(prompt)
    started = stream(run, text, given(decoding), skip_unknown=skip_unknown, step=step, root=runs)
    if json:
        print_json({"samples": [sample.as_dict() for sample in started.finish()]})
    else:
        show(started, text)


def read_prompt(prompt: str) -> str:
    """The prompt as given, or standard input."""
    if prompt != "-":
        return prompt
    try:
        return sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"The prompt on standard input is not UTF-8: byte {error.start:,} cannot be decoded", "text in UTF-8"
        ) from None


def show(started: "Stream", prompt: str) -> None:
    """Print the samples one below the other: the first that is not yet whole as it comes, the others kept till then."""
    count = len(started.samples)
    kept = [""] * count
    whole = [False] * count
    at = 0
    say(heading(0, count) + prompt, end="")
    for piece in started:
        kept[piece.sample] += piece.text
        whole[piece.sample] = piece.stopped is not None
        if piece.sample != at:
            continue
        say(piece.text, end="")
        while at < count and whole[at]:
            at += 1
            say("\n" + (heading(at, count) + prompt + kept[at] if at < count else ""), end="")


def heading(sample: int, count: int) -> str:
    """What stands above one of several samples."""
    return f"--- sample {sample + 1} of {count}\n" if count > 1 else ""
