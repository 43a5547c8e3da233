"""The search behind the settings that Glassloom takes by itself: candidates against each other, on texts set apart.

    python benchmarks/search_settings.py --texts DIR --seconds 3 --candidates 'lr=8e-3,1.2e-2 width=192,256' --out FILE

Each candidate trains for the same time (`--seconds`) or number of updates (`--steps`) on each text, the product as it
is, and is scored on the held-out tenth in windows of 64 characters, nothing carried. The texts are slices: the nine
tenths that results are trained on, so that the held-out tenth has no part in any choice. (The lines in the results had
the novel, Hebrew and Python whole, and of Shakespeare the slice.) A candidate's score is its mean loss over the texts;
every line is kept in `--out`, a JSON Lines file, and what stands there is not run again.
"""

import argparse
import contextlib
import itertools
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import glassloom
from glassloom.errors import GlassloomError
from measuring import some_text

TEXTS = {"shakespeare": "shakespeare.txt", "novel": "great_expectations.txt", "hebrew": "hebrew.txt"}


def texts(folder: Path, names: list[str]) -> dict[str, str]:
    """The texts by name, each cut to the part that settings may be chosen on; `python` is the standard library."""
    found = {}
    for name in names:
        text = some_text(1.0) if name == "python" else (folder / TEXTS[name]).read_text(encoding="utf-8")
        found[name] = text[: int(0.9 * len(text))]
    return found


def grid(described: str) -> Iterator[dict[str, Any]]:
    """`lr=1e-3,2e-3 width=128` -> every combination."""
    axes = [part.partition("=") for part in described.split()]
    for values in itertools.product(*(values.split(",") for _, _, values in axes)):
        yield {name: plain(value) for (name, _, _), value in zip(axes, values, strict=True)}


def plain(value: str) -> Any:
    """A number where it is one."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(value)
    return None if value == "none" else value


def scored(corpus: Any, settings: dict[str, Any], windows: int) -> dict[str, float]:
    """One training: its loss in nats by windows and with the context carried, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        result = glassloom.train(
            corpus, runs=folder, name="one", on_event=lambda event: None, evaluations=1, sample_every=10**9, **settings
        )
        by_windows = glassloom.evaluate(result.run, windows=windows).figures.nats_per_token
        return {
            "nats": by_windows,
            "carried": result.best["nats_per_token"],
            "seconds": result.seconds,
            "steps": result.steps,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--only", default="shakespeare,novel,hebrew")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--model", default="gru")
    parser.add_argument("--candidates", required=True)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    budget = {"steps": asked.steps} if asked.steps else {"minutes": asked.seconds / 60}
    known = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    read = texts(asked.texts, asked.only.split(","))
    corpora = {name: glassloom.load_text(text, name=name) for name, text in read.items()}
    table = []
    for candidate in grid(asked.candidates):
        settings = {"model": asked.model, **budget, **candidate}
        found = []
        for name, corpus in corpora.items():
            line = next((one for one in known if one["settings"] == settings and one["text"] == name), None)
            if line is None:
                try:
                    line = {"text": name, "settings": settings, **scored(corpus, settings, asked.windows)}
                except GlassloomError as error:
                    line = {"text": name, "settings": settings, "error": str(error), "nats": 99.0, "carried": 99.0}
                with asked.out.open("a") as out:
                    out.write(json.dumps(line) + "\n")
            found.append(line)
        table.append((statistics.mean(one["nats"] for one in found), candidate, found))
        shown = "  ".join(f"{one['text'][:5]} {one['nats']:.4f}" for one in found)
        print(
            f"{table[-1][0]:.4f}  {shown}  {found[0].get('seconds', 0):.1f} s  {candidate}", file=sys.stderr, flush=True
        )
    print("\nbest first")
    for score, candidate, _ in sorted(table, key=lambda row: row[0])[:10]:
        print(f"{score:.4f}  {candidate}")


if __name__ == "__main__":
    main()
