"""`glassloom generate RUN`: let a run continue a prompt, token by token."""

import sys
from typing import Annotated, Any

from cyclopts import Parameter

from glassloom.api import stream
from glassloom.cli.flags import DEBUG, JSON, RUNS, flags_of, given
from glassloom.cli.output import aside, print_json, say
from glassloom.generation import DecodingSettings

Decoding: Any = flags_of(DecodingSettings, "Decoding")
NOTHING_GIVEN = Decoding()


def generate(
    run: str,
    /,
    *,
    prompt: Annotated[str, Parameter(help="What to continue; - reads standard input.")] = "",
    skip_unknown: Annotated[
        bool, Parameter(negative=(), help="Leave out what the model never saw instead of refusing the prompt.")
    ] = False,
    step: Annotated[int | None, Parameter(help="Which checkpoint; the best if not given.")] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
    decoding: Annotated[Decoding, Parameter(name="*")] = NOTHING_GIVEN,
) -> None:
    """Let a run continue a prompt.

    Examples: `glassloom generate my-run --prompt "Once upon"`, `--greedy`, `--temperature 0.7 --count 3`.

    Parameters
    ----------
    run
        The run's name under --runs, or the path of its folder.
    """
    text = read_prompt(prompt)
    started = stream(run, text, given(decoding), skip_unknown=skip_unknown, step=step, root=runs)
    if json:
        print_json({"samples": [sample.as_dict() for sample in started.finish()]})
        return
    if len(started.samples) == 1:
        say(text, end="")
        for piece in started:
            say(piece.text, end="")
        say()
        return
    for number, sample in enumerate(started.finish(), 1):
        aside(f"--- sample {number} of {len(started.samples)}")
        say(text + sample.text)


def read_prompt(prompt: str) -> str:
    """The prompt as given, or standard input."""
    if prompt != "-":
        return prompt
    return sys.stdin.read()
