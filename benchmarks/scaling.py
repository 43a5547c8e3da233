"""How training over processes scales: one and two of them on two cores, and what exchanging gradients costs.

    python benchmarks/scaling.py [--rounds 5] [--seconds 1.0]     measure, and write docs/scaling.md anew
    python benchmarks/scaling.py --page                           write the page anew from the results

Two workers of one thread each live through it all and take turns, on a machine that should be quiet:

    alone       one of them makes steps of B rows, the other one waits
    apart       both make steps of B/2 rows at once and exchange nothing: what sharing the machine costs
    together    both make steps of B/2 rows and exchange gradients: the same steps as alone
    doubled     both make steps of B rows each and exchange gradients

Efficiency is alone / (2 together) where the batch stays, and alone / doubled where it grows with the workers. The bytes
are those that the kernel counted on the loopback device, which others may use, too; `unshare -n` gives one of one's
own.
"""

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from measuring import RESULTS, some_text, write

DOCUMENT = Path(__file__).parent.parent / "docs" / "scaling.md"
MODELS: dict[str, dict[str, Any]] = {
    "gru, 2 layers of 256": {"model": "gru", "layers": 2, "width": 256, "embedding": 64},
    "lstm, 1 layer of 512": {"model": "lstm", "layers": 1, "width": 512, "embedding": 64},
    "transformer, 4 layers of 128": {"model": "transformer", "layers": 4, "width": 128, "heads": 4, "context": 64},
}
ROWS, LENGTH = 32, 64
KINDS = ("alone", "apart", "together", "doubled")
SIZES = [2**power for power in (3, 10, 14, 17, 20, 22, 24, 26)]
"""Bytes of the exchanges that bandwidth and latency are taken from."""
SMALL = 2**14
"""Up to so many bytes an exchange is taken for latency alone."""
WORKERS = (2, 8, 16, 32, 64, 128, 256, 512, 1024)


def ring_seconds(workers: int, size: float, bytes_a_second: float, latency: float) -> float:
    """A ring's all-reduce: 2(N-1) messages of bytes/N, one after the other (Patarasu and Yuan 2009).

    >>> ring_seconds(2, 100.0, 100.0, 0.0)
    1.0
    """
    return 2 * (workers - 1) * (size / workers / bytes_a_second + latency)


def fitted(exchanges: list[dict[str, float]]) -> tuple[float, float]:
    """Bytes a second and latency of the ring's model, from the exchanges of 2 workers that were measured.

    The latency is that of the fastest of the small ones, the bandwidth what the largest takes beyond it.

    >>> fitted([{"bytes": 8, "seconds": 0.002}, {"bytes": 1_000_008, "seconds": 0.502}])
    (2000016.0, 0.001)
    """
    least, largest = min(one["seconds"] for one in exchanges if one["bytes"] <= SMALL), exchanges[-1]
    return largest["bytes"] / (largest["seconds"] - least), least / 2


def loopback_bytes() -> int:
    """How many bytes the loopback device has carried."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            return int(counts.split()[0])
    return 0


def measure(rounds: int, seconds: float) -> None:
    """What each worker does; the first one writes the results."""
    from glassloom.config import Config
    from glassloom.data import load_text
    from glassloom.training.loop import one_step
    from glassloom.training.machine import prepare_machine
    from glassloom.training.resolve import resolve
    from glassloom.training.spreading import spread
    from glassloom.training.state import TrainingState
    from glassloom.training.workers import ALONE, Workers, joined

    corpus = load_text(some_text(0.5))

    def state_of(workers: Workers, rows: int, settings: dict[str, Any]) -> TrainingState:
        given = {"batch_size": rows, "sequence_length": LENGTH, "batching": "windows", "threads": 1, "steps": 10**9}
        given |= {"dropout": 0, "optimizer": "adam", "precision": "float32", **settings}
        config = resolve(Config.from_flat(given), corpus, given)
        prepare_machine(config.train)
        return TrainingState(config, corpus, workers)

    def steps_of(state: TrainingState, count: int) -> Callable[[], None]:
        def make() -> None:
            for _ in range(count):
                one_step(state, 0.0, "steps", 10**9)

        return make

    rows = []
    with joined() as workers:
        for name, settings in MODELS.items():
            states = {
                "alone": state_of(ALONE, ROWS, settings),
                "apart": state_of(ALONE, ROWS // 2, settings),
                "together": state_of(workers, ROWS, settings),
                "doubled": state_of(workers, 2 * ROWS, settings),
            }
            spread(states["together"])
            spread(states["doubled"])
            for state in states.values():
                steps_of(state, 2)()
            begun = time.perf_counter()
            steps_of(states["alone"], 3)()
            count = workers.from_first(
                lambda begun=begun: max(3, math.ceil(seconds * 3 / (time.perf_counter() - begun)))
            )
            taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
            carried = []
            for number in range(rounds):
                for kind in KINDS if number % 2 else reversed(KINDS):
                    workers.gather(None)
                    before, started = loopback_bytes(), time.perf_counter()
                    if kind != "alone" or workers.is_first:
                        steps_of(states[kind], count)()
                    took = (time.perf_counter() - started) / count
                    workers.gather(None)
                    taken[kind].append(took)
                    if kind == "together":
                        carried.append((loopback_bytes() - before) / count)
            parameters = sum(weights.numel() for weights in states["alone"].parameters)
            row = {"model": name, "parameters": parameters, "gradient_bytes": 4 * parameters, "steps": count}
            medians = {kind: statistics.median(values) for kind, values in taken.items()}
            rows.append(
                row
                | {"seconds": medians, "all_seconds": taken, "loopback_bytes": statistics.median(carried)}
                | {"efficiency": spread_of(taken["alone"], [2 * one for one in taken["together"]])}
                | {"efficiency_doubled": spread_of(taken["alone"], taken["doubled"])}
            )
            if workers.is_first:
                print(name, {kind: f"{value * 1e3:.1f} ms" for kind, value in medians.items()}, flush=True)
        exchanges = [{"bytes": size, "seconds": exchanged(size, rounds)} for size in SIZES]
        if workers.is_first:
            told = f"python benchmarks/scaling.py --rounds {rounds} --seconds {seconds:g}"
            write("scaling", told, rows, exchanges=exchanges, rounds=rounds, cores=os.cpu_count())


def spread_of(alone: list[float], others: list[float]) -> dict[str, float]:
    """The median of the rounds' ratios, the lowest and the highest."""
    ratios = sorted(one / other for one, other in zip(alone, others, strict=True))
    return {"median": statistics.median(ratios), "lowest": ratios[0], "highest": ratios[-1]}


def exchanged(size: int, rounds: int) -> float:
    """Seconds of one all-reduce of so many bytes of float32, the median."""
    import torch
    import torch.distributed as dist

    values = torch.zeros(max(1, size // 4))
    count = max(3, min(200, 2**24 // size))
    found = []
    for _ in range(rounds + 1):
        dist.barrier()
        started = time.perf_counter()
        for _ in range(count):
            dist.all_reduce(values)
        found.append((time.perf_counter() - started) / count)
    return statistics.median(found[1:])


def start_workers(arguments: list[str]) -> None:
    """Two workers, as torchrun would start them; the same script with `--worker`."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    told = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    told |= {"TORCHELASTIC_RUN_ID": "scaling", "OMP_NUM_THREADS": "1"}
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", *arguments],
            env={**os.environ, **told, "RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(2)
    ]
    codes = [worker.wait() for worker in started]
    if any(codes):
        sys.exit(f"the workers ended with {codes}")


# -- the page

HOW = """# Training over processes, GPUs, machines

<!-- Written by benchmarks/scaling.py; change it there. -->

```sh
glassloom train novel.txt --workers 2                                      # two processes of this machine
torchrun --nproc-per-node 2 -m glassloom train novel.txt                   # the same, started by torchrun
torchrun --nnodes 2 --nproc-per-node 8 --rdzv-id novel --rdzv-backend c10d --rdzv-endpoint HOST:29400 \\
    -m glassloom train /shared/novel.txt --runs /shared/runs               # on each of two machines
glassloom train novel.txt --model transformer --workers 2 --shard          # each keeps half of every weight
```

* **The same steps.** N workers with B/N rows each take the steps of one process with B rows, but for rounding:
  streams with their carried state (worker r has the rows from r B/N on, and their state), random windows, padded
  batches (each target weighs 1 / all targets of the batch, wherever it is), parts (`--accumulate`), clipping (by the
  norm of the whole gradient). B must be a multiple of N, except for padded batches, whose rows differ from batch to
  batch. Tests hold this to 1e-10 in float64 and 1e-5 in float32.
* **Dropout** is drawn by each worker from a generator of its own (rank 0's is that of a single process), so with
  dropout the steps are others, as with another seed.
* **Only the first worker speaks and writes**, holds the run's lock, scores the held-out slice, samples, and scores
  the best checkpoint at the end; the others wait for it. So those figures are computed as in one process.
* **A worker that dies** has torchrun start all of them again (`--max-restarts`), and they go on from the last
  checkpoint of the run that they began. A signal reaches all of them; they finish the same step, save, and end with
  130 or 143. A worker that does not answer is waited for for 600 seconds (`GLASSLOOM_WORKER_TIMEOUT` says otherwise):
  exit code 3, one sentence, and the last checkpoint stays. With plain torchrun the exit code is torchrun's own, 1,
  after its own report.
* **Another number of workers** may go on with a run (`--resume`): batches keep their rows, the optimizer its moments
  and each row its state, so steps differ in rounding only; with dropout other generators draw from there on. A notice
  says so.
* **`--shard`** (FSDP2) is for a transformer that one device cannot hold: weights, gradients and moments are cut over
  the workers, and so are its checkpoints: `step-N/model/shard-*.safetensors` and `step-N/optim/shard-*.safetensors`,
  beside the same manifest, written last. Every command reads them like any other checkpoint, and a training goes on
  with or without `--shard`, with any number of workers. Recurrent layers cannot be cut (their kernels read whole
  weights at every step), `--ema` and `--compile on` are refused, and nothing is sampled on the way.
* **Several machines** must see the run folder to resume and to write shards; the text must be the same file, which is
  checked. The text is read and every batch laid out by every worker, which takes its own rows of it.
* Gradients travel by gloo on CPUs and by nccl on CUDA. **CUDA over several workers has not yet been run.**
"""


def page() -> str:
    """docs/scaling.md, from the results."""
    found = json.loads((RESULTS / "scaling.json").read_text(encoding="utf-8"))
    rows = found["rows"]
    bandwidth, latency = fitted(found["exchanges"])
    busy = " (busy: others were measuring and testing on it meanwhile)" if found["load"] > 2.5 else ""
    lines = [
        HOW,
        "## Measured: one and two processes on two cores",
        "",
        f"{found['machine']}, load {found['load']:.1f}{busy}, torch {found['torch']}, {found['date'][:10]}, "
        f"`{found['command']}`: float32, one thread a worker, {ROWS} rows of {LENGTH} tokens, medians of "
        f"{found['rounds']} rounds in turns (lowest to highest). *Alone*: one worker, the other waits. *Apart*: both "
        "with half of the rows and no exchange, which shows what the cores cost each other. *Together*: the same with "
        "the exchange. *Doubled*: all rows for each of two.",
        "",
        "| model | alone | apart | together | efficiency, same batch | doubled | efficiency, doubled batch |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = {kind: f"{row['seconds'][kind] * 1e3:.1f} ms" for kind in KINDS}
        lines.append(
            f"| {row['model']} | {times['alone']} | {times['apart']} | {times['together']} | "
            f"{share(row['efficiency'])} | {times['doubled']} | {share(row['efficiency_doubled'])} |"
        )
    lines += [
        "",
        "## Communication: measured and predicted",
        "",
        "A ring's all-reduce sends 2(N-1) messages of bytes/N one after the other: 2(N-1)/N bytes / bandwidth + 2(N-1) "
        f"latency. From the small and the largest exchanges of two workers here: {bandwidth / 1e9:.2f} GB/s and "
        f"{latency * 1e6:.0f} µs. Between them the model says:",
        "",
        "| bytes | measured | predicted | measured / predicted |",
        "|---|---|---|---|",
    ]
    for one in found["exchanges"]:
        said = ring_seconds(2, one["bytes"], bandwidth, latency)
        ratio = one["seconds"] / said
        lines.append(f"| {one['bytes']:,} | {one['seconds'] * 1e6:,.0f} µs | {said * 1e6:,.0f} µs | {ratio:.2f} |")
    lines += [
        "",
        "Of a step: the gradient; the bytes that the loopback device carried for both workers (the model says the "
        "gradient's bytes from each of two, so twice the gradient; the rest is headers, the loss and the clock); and "
        "the time that the exchange added (together less apart) beside what the model predicts without overlap.",
        "",
        "| model | gradient | carried a step | by the model | added to a step | by the model |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        added = row["seconds"]["together"] - row["seconds"]["apart"]
        said = ring_seconds(2, row["gradient_bytes"], bandwidth, latency)
        lines.append(
            f"| {row['model']} | {row['gradient_bytes'] / 1e6:.2f} MB | {row['loopback_bytes'] / 1e6:.2f} MB | "
            f"{2 * row['gradient_bytes'] / 1e6:.2f} MB | {added * 1e3:.1f} ms | {said * 1e3:.1f} ms |"
        )
    lines += [
        "",
        "What the model predicts for more workers, each on a core of its own with the same rows, were every link as "
        "this machine's loopback: the time of communication a step, and efficiency with no overlap and with all of it "
        "hidden behind the step. **Predicted, not measured**; a network has figures of its own.",
        "",
        "| workers | " + " | ".join(row["model"] for row in rows) + " |",
        "|---|" + "---|" * len(rows),
    ]
    for workers in WORKERS:
        cells = []
        for row in rows:
            said, step = ring_seconds(workers, row["gradient_bytes"], bandwidth, latency), row["seconds"]["alone"]
            cells.append(f"{said * 1e3:.1f} ms; {step / (step + said):.0%} to {step / max(step, said):.0%}")
        lines.append(f"| {workers:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def share(found: dict[str, float]) -> str:
    """`81% (78% to 84%)`."""
    return f"{found['median']:.0%} ({found['lowest']:.0%} to {found['highest']:.0%})"


def main() -> None:
    """Measure, unless only the page is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of steps in a turn")
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        measure(given.rounds, given.seconds)
        return
    if not given.page:
        start_workers(["--rounds", str(given.rounds), "--seconds", str(given.seconds)])
    DOCUMENT.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
