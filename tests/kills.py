"""Train one run in child processes, kill each at a random moment, and say what every kill left.

Run as a script it reads one JSON object (settings, text, root, kills, seed) and writes one JSON line a kill. The
children are forked, so that a kill costs no start of Python.
"""

import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from glassloom.data import load_text
from glassloom.data.corpus import Corpus
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import load_run
from glassloom.training import Stepped, train
from trainings import differences, everything


def assert_kills_lose_nothing(text: str, settings: dict[str, Any], folder: Path, kills: int) -> None:
    """Kill a training so often: every kill leaves a run that opens, and the end is that of one never killed.

    The settings save every 2 steps.
    """
    root = folder / "killed"
    root.mkdir()
    given = {"text": text, "settings": settings, "root": str(root), "kills": kills, "seed": os.getpid()}
    script = [sys.executable, __file__]
    done = subprocess.run(script, input=json.dumps(given), text=True, stdout=subprocess.PIPE, check=True)
    *left, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(left) == kills
    assert any(kill["made"] for kill in left), "no kill hit the training itself"
    for kill in left:
        if kill["there"]:
            ended = kill["state"] == "finished" and kill["newest"] == settings["steps"]
            assert kill["state"] == "interrupted" or ended, kill
            assert len(kill["sample"]) == 5
            assert kill["newest"] >= kill["made"] - 2, f"more than one checkpoint interval was lost: {kill}"
            assert kill["logged"] == list(range(1, len(kill["logged"]) + 1))
            assert len(kill["logged"]) >= kill["newest"]
        else:
            assert kill["made"] == 0
    logged = list(range(1, settings["steps"] + 1))
    assert (end["exit"], end["state"], end["logged"], end["half-made"]) == (0, "finished", logged, 0)
    assert not list(root.glob(".tmp-*"))
    whole = train(load_text(text), settings, root=folder, name="whole", with_baselines=False).run
    assert differences(everything(whole), everything(load_run(root / "run"))) == []


def start(corpus: Corpus, settings: dict[str, Any], root: Path, steps_made: int) -> int:
    """A child that trains, noting in a file each step that it has made; the child's process id."""
    child = os.fork()
    if child:
        return child

    def note(event: Any) -> None:
        if isinstance(event, Stepped):
            os.pwrite(steps_made, event.step.to_bytes(8, "little"), 0)

    train(corpus, settings, root=root, name="run", resume=True, with_baselines=False, on_event=note)
    os._exit(0)


def look(root: Path) -> dict[str, Any]:
    """What a kill left: nothing at all, or a run that opens and writes."""
    if not (root / "run").exists():
        return {"there": False}
    run = load_run(root / "run")
    sample = generate(run.model(), run.tokenizer, "the ", DecodingSettings(length=5))[0]
    logged = [line["step"] for line in run.metrics() if line["event"] == "train"]
    return {
        "there": True, "newest": run.newest().step, "sample": sample.text, "state": run.state(), "logged": logged,
        "half-made": len(list((run.path / "checkpoints").glob(".tmp-*"))),
    }  # fmt: skip


def main() -> None:
    """Kill, look, and begin again."""
    given = json.load(sys.stdin)
    corpus, root, rng = load_text(given["text"]), Path(given["root"]), random.Random(given["seed"])
    importlib.import_module("torch._dynamo")  # else the first optimizer of each child does, for a second
    steps_made = os.open(root / "steps", os.O_RDWR | os.O_CREAT)

    def made() -> int:
        return int.from_bytes(os.pread(steps_made, 8, 0), "little")

    for kill in range(given["kills"]):
        before = made()
        child = start(corpus, given["settings"], root, steps_made)
        while kill % 3 and made() == before and is_alive(child):  # every third may be killed before it trains at all
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.08))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        say({"made": made(), **look(root)})
    child = start(corpus, given["settings"], root, steps_made)
    say({"exit": os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), **look(root)})


def is_alive(child: int) -> bool:
    """Whether the child has not ended by itself; it can still be waited for."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def say(found: dict[str, Any]) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
