"""`glassloom studio [DIR]`: the live page over a folder of runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from glassloom.cli.options import DEBUG, JSON, option, switch
from glassloom.cli.output import aside, print_json, say
from glassloom.cli.signals import interruptible

if TYPE_CHECKING:
    from glassloom.studio import Address


def studio(
    folder: str = "runs",
    /,
    *,
    host: Annotated[
        str, option("The address to listen on; beyond this machine the page asks for a token.", "ADDRESS")
    ] = "127.0.0.1",
    port: Annotated[int, option("The port; 0 takes any that is free.", "N")] = 8765,
    no_open: Annotated[bool, switch("Print the address, and open no browser.")] = False,
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Open a live page over a folder of runs: watch, train, write, look inside, compare.

    For example: glassloom studio
                 glassloom studio runs --port 9000 --no-open

    Ctrl-C ends it; trainings that were begun from the page save first.

    Parameters
    ----------
    folder
        The folder of runs; it need not exist yet.
    """
    from glassloom.studio import Server

    server = Server(Path(folder), host, port)

    def ready(address: "Address") -> None:
        if json:
            print_json({"address": address.url})
        else:
            say(f"the studio over {folder} is at {address.url}")
            aside("Ctrl-C ends it")
        if not no_open:
            import webbrowser

            webbrowser.open(address.url)

    with interruptible():
        server.run(ready)
    return 0
