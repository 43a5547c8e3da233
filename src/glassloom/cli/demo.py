"""`glassloom demo`: all four models on real text that is on every machine."""

from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, option
from glassloom.cli.output import aside
from glassloom.models import ARCHITECTURES

CORPUS = "python-stdlib"
MINUTES = 0.35
EVALUATIONS = 12
"""Points of a learning curve that can be seen to bend, though so short a training would take fewer by itself."""
SPLIT = "98,1,1"
"""A hundredth of twelve megabytes is held-out text enough, and four models score it in seconds."""

BATCHING = "windows"
"""Drawn from everywhere, for twenty seconds read a twentieth of the text: as streams that would be 16 places of it."""


def demo(
    *,
    minutes: Annotated[float, option("Training time of each model.", "X")] = MINUTES,
    out: Annotated[str, option("The folder for runs and report; what is there is replaced.", "DIR")] = "runs/demo",
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Train an RNN, a GRU, an LSTM and a Transformer of equal size on the source code of Python's standard library,
    compare them, and write a report: within three minutes on two cores."""
    from glassloom.cli.compare import carry_out

    aside("four models learn to write Python from the standard library of this machine")
    code = carry_out(
        as_json=json, out=out, command="glassloom demo", corpus=CORPUS, models=list(ARCHITECTURES.own), replace=True,
        title="Four models learn to write Python", minutes=minutes, match="parameters",
        batching=BATCHING, evaluations=EVALUATIONS, split=SPLIT,
    )  # fmt: skip
    if code == 0 and not json:
        aside(f"open {out}/report.html; then try: glassloom generate {out}/gru --prompt 'def '")
    return code
