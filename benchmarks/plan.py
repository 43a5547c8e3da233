"""How far off `glassloom plan` is: five texts, a minute of training each, foretold and then really trained.

    python benchmarks/plan.py --texts DIR [--minutes 1] [--again NAME,...]

Each text is planned for the minute as the command does it (probes of 6 s), then every architecture that --models names
(the recommended one always, and the next best) is trained at the forecast's own settings for the minute, one after the
other, and scored on the whole held-out tenth. The law's constants are made from tinyshakespeare and a novel; Hebrew
poems, a chapter of 68 KB and film reviews had no part in them. Trainings that stand in the results are kept.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import glassloom
from glassloom.data import DataSettings
from measuring import RESULTS, write

TEXTS = {"shakespeare": "shakespeare.txt", "novel": "great_expectations.txt", "hebrew": "hebrew.txt",
         "chapter": "goblin_chapter.txt", "reviews": "reviews/rt-polarity.pos"}  # fmt: skip
KEPT_OUT = ("hebrew", "chapter", "reviews")
NAME, COMMAND = "plan", "python benchmarks/plan.py --texts DIR"
PAGE = Path(__file__).parent.parent / "docs" / "plan.md"
BEGIN, END = "<!-- plan -->\n", "<!-- end of plan -->"


def measured(path: Path, minutes: float, architectures: int) -> dict[str, Any]:
    """A plan, and what its best forecasts of so many architectures come to."""
    encoding = "latin-1" if path.suffix == ".pos" else "auto"
    corpus = glassloom.load_corpus(str(path), DataSettings(encoding=encoding, sequences="stream"))
    plan = glassloom.plan(corpus, minutes=minutes)
    found = {
        "probe_seconds": plan.probe_seconds, "command": plan.command, "probes": [asdict(one) for one in plan.probes],
        "trainings": [],
    }  # fmt: skip
    for one in plan.of_each()[:architectures]:
        with tempfile.TemporaryDirectory() as runs:
            result = glassloom.train(
                corpus, model=one.model, runs=runs, name="one", minutes=minutes, on_event=lambda event: None,
                sample_every=10**9, **one.settings,
            )  # fmt: skip
        found["trainings"].append({
            "model": one.model, "width": one.width, "settings": dict(one.settings), "foretold": one.nats,
            "low": one.low, "high": one.high, "measured": result.best["nats_per_token"],
            "tokens_per_second": {"foretold": one.tokens_per_second, "measured": result.tokens_per_second},
        })  # fmt: skip
    return found


def rows(known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every training: what was foretold, what came, and by how much it was off."""
    for text, found in known.items():
        for one in found["trainings"]:
            yield {
                "name": f"{text}, {one['model']} of width {one['width']}", "kept_out": text in KEPT_OUT,
                "foretold": one["foretold"], "low": one["low"], "high": one["high"], "measured": one["measured"],
                "off_nats": one["foretold"] - one["measured"], "inside": one["low"] <= one["measured"] <= one["high"],
                "speed_off": one["tokens_per_second"]["foretold"] / one["tokens_per_second"]["measured"] - 1,
                "unit": "nats",
            }  # fmt: skip


def summed_up(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Of some rows: how many, the mean and the greatest error, how many lay inside their interval."""
    off = [abs(row["off_nats"]) for row in found]
    return {
        "trainings": len(found), "mean_off_nats": sum(off) / len(off), "most_off_nats": max(off),
        "inside": sum(row["inside"] for row in found),
        "root_mean_square": math.sqrt(sum(one**2 for one in off) / len(off)),
    }  # fmt: skip


def table() -> str:
    """The block of docs/plan.md, from the results; where nobody has measured, that is said."""
    path = RESULTS / f"{NAME}.json"
    if not path.exists():
        return "Not yet run.\n"
    told = json.loads(path.read_text())
    lines = [
        "| text | part in the law | trained | foretold | interval | measured | off |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in told["rows"]:
        text, _, what = row["name"].partition(", ")
        measured = f"{row['measured']:.3f}{'' if row['inside'] else ' (outside)'}"
        lines.append(
            f"| {text} | {'no' if row['kept_out'] else 'yes'} | {what} | {row['foretold']:.3f} | {row['low']:.3f} to "
            f"{row['high']:.3f} | {measured} | {row['off_nats']:+.3f} |"
        )
    sentences = [
        f"Of the {name} ({one['trainings']} trainings) the forecast was off by {one['mean_off_nats']:.3f} nats on the "
        f"average and {one['most_off_nats']:.3f} at most; {one['inside']} lay inside the interval."
        for name, one in (
            ("texts that were kept out", told["summary"].get("kept out")),
            ("five", told["summary"]["all"]),
        )
        if one
    ]
    spent = [found["probe_seconds"] for found in told["texts"].values()]
    sentences.append(f"The probes took {min(spent):.1f} to {max(spent):.1f} s.")
    machine = f"{told['machine']}, {told['threads']} thread, load {told['load']:.1f}, {told['date'][:10]}"
    return "\n".join([*lines, "", *sentences, f"Nats a token; {machine}."]) + "\n"


def write_page() -> None:
    """Put the table into the page."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(before + BEGIN + table() + END + rest.split(END)[1], encoding="utf-8")


def main() -> None:
    """Plan and train what is missing, print, write JSON after every text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, default=Path("."))
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--architectures", type=int, default=2, help="so many of each text, the best first")
    parser.add_argument("--again", default="", help="names of texts, comma-separated: these anew")
    parser.add_argument("--page", action="store_true", help="write the page from the results, measure nothing")
    asked = parser.parse_args()
    if asked.page:
        return write_page()
    path = RESULTS / f"{NAME}.json"
    known: dict[str, Any] = json.loads(path.read_text())["texts"] if path.exists() else {}
    for name, file in TEXTS.items():
        if name in known and name not in asked.again.split(","):
            continue
        known[name] = measured(asked.texts / file, asked.minutes, asked.architectures)
        print(name, json.dumps(known[name]), file=sys.stderr, flush=True)
        every = list(rows(known))
        parts = {"kept out": [row for row in every if row["kept_out"]], "all": every}
        summary = {part: summed_up(some) for part, some in parts.items() if some}
        write(NAME, COMMAND, every, minutes=asked.minutes, texts=known, summary=summary,
              threads=torch.get_num_threads())  # fmt: skip
        write_page()
    for row in rows(known):
        print(f"{row['name']:<34} {row['foretold']:.3f} ({row['low']:.3f} to {row['high']:.3f})  {row['measured']:.3f}")


if __name__ == "__main__":
    main()
