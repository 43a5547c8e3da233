"""Several clients of one server, written side by side against one after the other, in the same process in turns.

    python benchmarks/serving.py [--rounds 3] [--tokens 200]

Both times the same requests go to the same server over real sockets, by HTTP from threads of this process: all at once,
or each when the one before is answered. A ratio above 1 means that side by side is faster: more tokens a second in all.
Beside it the time from a request to its first event, of the median client: side by side nobody waits for another's end.

Rows: 1, 8 and 50 clients; a GRU and a transformer of width 128, and a GRU of width 512, whose weights no cache near the
core holds. Weights are random, for the work is the same. The threads are those that torch takes by itself.
"""

import argparse
import http.client
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from glassloom.data import load_text
from glassloom.runs import Run
from glassloom.serving import Limits
from glassloom.serving.server import CompletionsServer
from glassloom.training import train
from measuring import compared, in_turns, some_text, spread_in_words, write

MODELS: dict[str, dict[str, Any]] = {
    "gru-128": {"model": "gru", "layers": 2, "width": 128},
    "transformer-128": {"model": "transformer", "layers": 4, "width": 128, "heads": 4, "context": 256},
    "gru-512": {"model": "gru", "layers": 2, "width": 512},
}
CLIENTS = (1, 8, 50)


def untrained(root: Path, name: str) -> Run:
    """A run of one update: its weights are as good as random."""
    given = {**MODELS[name], "steps": 1, "batch_size": 2, "sequence_length": 16, "eval_tokens": 50, "sample_length": 1}
    return train(load_text(some_text(0.1)), given, root=root, name=name, with_baselines=False).run


@contextmanager
def served(runs: list[Run]) -> Iterator[int]:
    """The port of a server over some runs."""
    server = CompletionsServer(runs, port=0, limits=Limits(seconds=3600))
    thread = threading.Thread(target=server.run, args=(lambda served: None,), daemon=True)
    thread.start()
    while not server.uvicorn.started:
        time.sleep(0.02)
    yield server.served.port
    server.stop()
    thread.join()


def first_event(port: int, model: str, tokens: int, seed: int) -> float:
    """Ask for a text as a stream and read it to its end; the seconds until its first event."""
    body = {"model": model, "prompt": "def ", "max_tokens": tokens, "seed": seed, "stream": True}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    began = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.readline()
    first = time.perf_counter() - began
    assert answer.read().endswith(b"data: [DONE]\n\n")
    connection.close()
    return first


def measured(port: int, model: str, clients: int, tokens: int, rounds: int) -> dict[str, Any]:
    """One row."""
    firsts: dict[str, list[float]] = {"side by side": [], "one after the other": []}

    def timed(way: str, ask_all: Callable[[], list[float]]) -> float:
        began = time.perf_counter()
        firsts[way].append(statistics.median(ask_all()))
        return time.perf_counter() - began

    def at_once() -> list[float]:
        with ThreadPoolExecutor(clients) as pool:
            return list(pool.map(lambda seed: first_event(port, model, tokens, seed), range(clients)))

    def in_a_row() -> list[float]:
        began, waited = time.perf_counter(), []
        for seed in range(clients):  # all of them came at the beginning
            waits = time.perf_counter() - began
            waited.append(waits + first_event(port, model, tokens, seed))
        return waited

    pairs = in_turns(
        lambda: timed("side by side", at_once), lambda: timed("one after the other", in_a_row), rounds
    )  # fmt: skip
    row = {"model": model, "clients": clients, "tokens": tokens, **compared(pairs)}
    row["tokens_per_second"] = {
        "ours": clients * tokens / statistics.median(mine for mine, _ in pairs),
        "theirs": clients * tokens / statistics.median(other for _, other in pairs),
    }
    row["first_event_seconds"] = {way: statistics.median(seconds[1:]) for way, seconds in firsts.items()}
    return row


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=200)
    given = parser.parse_args()
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        served([untrained(Path(folder), name) for name in MODELS]) as port,
    ):
        for name in MODELS:
            for clients in CLIENTS:
                row = measured(port, name, clients, given.tokens, given.rounds)
                rows.append(row)
                first = row["first_event_seconds"]["side by side"]
                print(
                    f"{name}, {clients} clients: {spread_in_words(row)} times as fast side by side, "
                    f"{row['tokens_per_second']['ours']:,.0f} tokens a second, first event after {first:.3f} s"
                )
    write("serving", "python benchmarks/serving.py", rows, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
