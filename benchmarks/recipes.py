"""Collect what recipes reached: `results.json` of their folders into `benchmarks/results/`, and the README's table.

    python benchmarks/recipes.py runs/ptb-architectures runs/novel-rnn ...     take results in
    python benchmarks/recipes.py                                               write the README's table anew

Every figure in the table comes from those files; what nobody has run is written as not yet run.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from glassloom.recipes import listed, load_recipe

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
README = ROOT / "README.md"
BEGIN, END = "<!-- recipes -->", "<!-- end of recipes -->"
KEPT = ("recipe", "title", "source", "date", "command", "left_out", "targets", "environment")
OF_A_ROW = (
    "id", "model", "seed", "optimizer", "status", "epoch", "seconds", "total_seconds", "parameters", "steps",
    "tokens", "tokens_per_second", "train_perplexity", "valid_perplexity", "valid_perplexity_fair", "nats_per_token",
    "valid_bits_per_character",
)  # fmt: skip


def take_in(folder: Path) -> Path:
    """Store a recipe's results, without curves and samples."""
    found = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    kept = {name: found[name] for name in KEPT}
    kept["command"] = kept["environment"]["command"] = re.sub(r" --out \S+", "", found["command"])
    kept["rows"] = [{name: row[name] for name in OF_A_ROW} for row in found["rows"]]
    quick = "-quick" if "--quick" in found["command"] else ""
    path = RESULTS / f"recipe-{found['recipe']}{quick}.json"
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def table() -> str:
    """The README's table, in Markdown."""
    lines = ["| recipe | figure | asked for | reached | where |", "|---|---|---|---|---|"]
    for path in sorted(RESULTS.glob("recipe-*.json")):
        if path.stem.endswith("-quick"):
            continue
        found = json.loads(path.read_text(encoding="utf-8"))
        where = f"{found['environment'].get('processor', '?')}, {found['date'][:10]}"
        waiting = []
        for target in found["targets"]:
            if target["verdict"] not in ("reached", "missed"):
                waiting.append(target)
                continue
            lines.append(f"| {found['recipe']} | {described(target)} | {asked(target)} | {reached(target)} | {where} |")
        if waiting:
            lines.append(f"| {found['recipe']} | {len(waiting)} more | | not yet run | |")
    for name in listed():
        if not (RESULTS / f"recipe-{name}.json").exists():
            for target in load_recipe(name).targets():
                figure = described(target.model_dump())
                lines.append(f"| {name} | {figure} | {asked(target.model_dump())} | not yet run | |")
    return "\n".join(lines)


def described(target: dict[str, Any]) -> str:
    """A target's figure in words."""
    at = f" after epoch {target['epoch']}" if target["epoch"] is not None else ""
    return f"{target['run']} {target['figure'].replace('_', ' ')}{at}".strip()


def asked(target: dict[str, Any]) -> str:
    """What a target asks for."""
    if target["at_least"] is not None:
        return f"≥ {target['at_least']:g}"
    if target["at_most"] is not None:
        return f"≤ {target['at_most']:g}"
    if not target["within"]:
        return f"≤ {target['reported']:g}"
    return f"{'±' if target['either_way'] else '≤ +'}{target['within']:.0%} of {target['reported']:g}"


def reached(target: dict[str, Any]) -> str:
    """Our figure, and a word where it misses."""
    return f"{target['value']:.4g}" + ("" if target["verdict"] == "reached" else f" ({target['verdict']})")


def write_readme() -> None:
    """Put the table between its marks."""
    text = README.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    README.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        print(take_in(Path(folder)))
    write_readme()
