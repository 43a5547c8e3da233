"""Fill what stands between marks in the pages of docs/: `python docs/fill.py`. The tests hold the pages to it.

<!-- file PATH -->   ... <!-- end of file -->    a file of the repository, as code
<!-- told NAME -->   ... <!-- end of told -->    what a run said, from docs/figures/told.json (`make_figures.py`)
<!-- minute -->      ... <!-- end of minute -->  a minute of each architecture, from benchmarks/results/defaults.json
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MARK = re.compile(r"<!-- (file|told|minute)(?: ([^ ]+))? -->\n.*?<!-- end of \1 -->", re.DOTALL)
KINDS = {".py": "python", ".toml": "toml"}
TEXTS = ("shakespeare", "novel", "hebrew", "python")
MODELS = ("rnn", "gru", "lstm", "transformer")


def filled(page: str) -> str:
    """A page with everything between its marks written anew."""
    return MARK.sub(
        lambda found: found[0].split("\n")[0] + f"\n{content(found[1], found[2])}\n<!-- end of {found[1]} -->", page
    )


def content(kind: str, name: str | None) -> str:
    """What stands between the marks of one kind."""
    if kind == "minute":
        return minute()
    assert name is not None, f"{kind} of what?"
    if kind == "told":
        said: dict[str, str] = json.loads((DOCS / "figures" / "told.json").read_text(encoding="utf-8"))
        return said[name]
    path = ROOT / name
    return f"```{KINDS[path.suffix]}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


def measured() -> dict[str, Any]:
    """What `benchmarks/defaults.py` wrote."""
    found: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / "defaults.json").read_text(encoding="utf-8"))
    return found


def minute() -> str:
    """A minute of each architecture's defaults on four texts, in nats a character, the context carried."""
    results = measured()
    lines = [f"| text | {' | '.join(MODELS)} |", "|---|" + "---|" * len(MODELS)]
    for text in TEXTS:
        losses = {model: results["trainings"][f"{text}/{model}/ours"]["carried"] for model in MODELS}
        best = min(losses, key=lambda model: losses[model])
        cells = [f"**{loss:.3f}**" if model == best else f"{loss:.3f}" for model, loss in losses.items()]
        lines.append(f"| {text} | {' | '.join(cells)} |")
    command, where = results["command"].split(" --")[0], f"{results['machine']}, torch {results['torch']}"
    return "\n".join([*lines, "", f"`{command}`, {results['date'][:10]}, {where}."])


def main() -> None:
    """Every page."""
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
