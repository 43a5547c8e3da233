"""`glassloom serve RUN...`: runs behind the OpenAI completions protocol."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from glassloom.cli.flags import flags_of, given
from glassloom.cli.options import DEBUG, JSON, RUNS, option
from glassloom.cli.output import aside, print_json, say
from glassloom.cli.signals import interruptible
from glassloom.serving.limits import Limits

if TYPE_CHECKING:
    from glassloom.serving.server import Served

Limiting: Any = flags_of(Limits)
NOTHING_GIVEN = Limiting()


def serve(
    *run: str,
    host: Annotated[
        str, option("The address to listen on; beyond this machine a token is asked for.", "ADDRESS")
    ] = "127.0.0.1",
    port: Annotated[int, option("The port; 0 takes any that is free.", "N")] = 8766,
    token: Annotated[
        str | None, option("What clients must give as their API key; made up beyond this machine.", "TEXT")
    ] = None,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
    limits: Annotated[Limiting, Parameter(name="*")] = NOTHING_GIVEN,
) -> int:
    """Serve runs to programs that speak the OpenAI completions protocol.

    For example: glassloom serve runs/demo/gru
                 glassloom serve novel poems --port 9000 --at-once 16

    Ctrl-C ends it; answers that are on their way are finished first.

    Parameters
    ----------
    run
        The runs' names under --runs, or the paths of their folders.
    """
    from glassloom.config import checked
    from glassloom.runs import Run, load_run, matching_runs
    from glassloom.serving.server import CompletionsServer
    from glassloom.training.machine import prepare_machine

    named = [found for one in run for found in matching_runs(one, runs)]
    opened = [one if isinstance(one, Run) else load_run(one, runs) for one in named]
    allowed: Limits = checked(Limits, given(limits))
    if opened:
        prepare_machine(opened[0].config.train)
    server = CompletionsServer(opened, host, port, token=token, limits=allowed)

    def ready(served: "Served") -> None:
        if json:
            print_json({"address": served.url, "token": served.token, "models": list(served.models)})
            return
        say(f"{', '.join(served.models)} at {served.url}")
        if served.token is not None and token is None:
            say(f"the token, which clients give as their API key, is {served.token}")
        aside("Ctrl-C ends it")

    with interruptible():
        server.run(ready)
    return 0
