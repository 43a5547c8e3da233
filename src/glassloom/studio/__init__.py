"""A local web page over the runs: what `runs`, `views`, `generation` and `report` say, live.

    server       listens on one address, and cuts slow senders off        library      the runs of one folder, looked up
    guard        what is let in, and what every answer carries            curves       learning curves, thinned
    app          which address is answered by what                        shelf        models that are kept open
    writing      the playground: continuations, alternatives, debts       looking      views, comparisons, reports
    trainings    `glassloom train` as a user would type it                pages        the files of the page itself

docs/studio.md says what it does, and how it is kept safe.
"""

from glassloom.studio.app import Studio
from glassloom.studio.server import Address, Server

__all__ = ["Address", "Server", "Studio"]
