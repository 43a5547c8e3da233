"""`glassloom demo`: all four models on real text that is on every machine."""

from typing import Annotated

from cyclopts import Parameter

from glassloom.cli.compare import carry_out
from glassloom.cli.flags import DEBUG, JSON
from glassloom.cli.output import aside
from glassloom.models import ARCHITECTURES

CORPUS = "python-stdlib"
MINUTES = 0.35


def demo(
    *,
    minutes: Annotated[float, Parameter(help="Training time of each model.")] = MINUTES,
    out: Annotated[str, Parameter(help="The folder for runs and report; what is there is replaced.")] = "runs/demo",
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Train an RNN, a GRU, an LSTM and a Transformer on the source code of Python's standard library, compare them,
    and write a report: within three minutes on two cores."""
    aside("four models learn to write Python from the standard library of this machine")
    code = carry_out(
        as_json=json, out=out, command="glassloom demo", corpus=CORPUS, models=list(ARCHITECTURES), replace=True,
        title="Four models learn to write Python", minutes=minutes,
    )  # fmt: skip
    if code == 0 and not json:
        aside(f"open {out}/report.html; then try: glassloom generate {out}/gru --prompt 'def '")
    return code
