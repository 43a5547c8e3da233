"""Write `docs/performance.md` and the README's table of speed from `benchmarks/results/`; each figure comes from there.

python benchmarks/performance.py
"""

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
DOCUMENT, README = ROOT / "docs" / "performance.md", ROOT / "README.md"
BEGIN, END = "<!-- speed -->", "<!-- end of speed -->"

TABLES = {
    "recurrent_layers": "A training step of recurrent layers, against torch's built-in in float32",
    "recurrent_layers_avx512": "The same held to AVX-512 without its bfloat16 products, torch too",
    "recurrent_layers_avx2": "The same held to AVX2, torch too",
    "output_layer": "The output layer with its loss; the whole step of Penn Treebank's setting 3.2a",
    "transformer_step": "A training step of a transformer, against nanoGPT",
    "time_to_quality": "Time to quality on tinyshakespeare, against nanoGPT's documented CPU recipe",
    "recipe_or_kernel": "How much of that is recipe, and how much kernel: training alone",
    "defaults": "Defaults after one minute, against two training scripts at their documented settings, on four texts",
    "decoding": "Decoding one stream",
    "data_and_start": "Text, start, and a minute's shares",
}
"""What is measured by the script of that name, in the order of the page."""

MISSED = {
    "25 x 1 x 100": "one row fills no tile; half of the time is autograd and Python, and the weights come from the "
    "second cache at every step",
    "lstm, 35 x 128 x 512": "nn.LSTM is at 85 percent of the peak by itself; what is left are gates that pass through "
    "memory between the sweep and the products, and products of torch's own",
    "35 x 128 x 512": "ours is at 90 percent of the peak, at 80 in bfloat16; what is missing is within the spread",
    "35 x 20 x 512": "ours is at 80 to 90 percent of the peak; what is missing is within the spread",
    "100 x 64 x 128": "at width 128 rounding and packing the rows weigh against short products",
    "output layer, bfloat16": "adding up the weight's gradient piece by piece, in float32",
    "memory of the output layer": "the weight and its gradient are held in both precisions beside the piece of logits",
    "parameters, bfloat16, against nanoGPT": "products at 88 percent of the peak are 60 percent of the "
    "step; attention, norms, gelu and casts the rest (gelu and norms written in C++ were no faster)",
    "against GPT-2": "the peer makes 600 to 700 tokens a second here, where 550 stood behind the target",
    "native, against nanoGPT": "17,600 tokens a second are reached; the peer makes 350 here, where 313 stood behind "
    "the target (in `make bench`, where it made 270, the ratio was 65)",
    "nanoGPT's CPU model, bfloat16": "at 768 tokens a step the products are half of it, at two thirds of the peak, and "
    "the calls between a thousand small operations weigh",
    "nanoGPT's wall time": "starting the process and importing torch take as long as training",
}
"""Why a target was missed, by what its row's name contains."""

GPU = (
    "Kernels for CUDA and their benchmarks (`benchmarks/gpu.sh`) are **not yet run on a GPU**; [gpu.md](gpu.md) says "
    "what there is, the recipes `ptb-best` and `shakespeare-best` among it."
)


def rows_of(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A results file and its rows, those of a table with a target first named alike."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return {}, []
    found = json.loads(path.read_text(encoding="utf-8"))
    return found, [row if "name" in row else decoded(row) for row in found["rows"]]


def decoded(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the decoding table by the names of the others."""
    name = f"{row['model']}, {row['tokens']:,} tokens, {row['decoder']}, against {row['peer']}"
    target = row["target"] if row["peer"] not in ("nn.GRU", "nn.RNN") else None  # nothing was asked of those
    return {**row, "name": name, "measured": row["ratio"], "unit": "times", "target": target, "met": row["reached"]}


def line(row: dict[str, Any]) -> str:
    """One row of a table."""
    spread = f" ({row['lowest']:.2f} to {row['highest']:.2f})" if "lowest" in row else ""
    asked = "" if row["target"] is None else f"{row['target']:g}"
    verdict = "" if row["target"] is None else "reached" if row["met"] else f"missed: {reason(row['name'])}"
    if told := row.get("llama_cpp"):
        verdict = (
            f"{told['threads']} threads; its own clock, without the draw: {told['inside']:,.0f} tokens a second; "
            f"logits off by {told['logits_error']:.1e}"
        )
    share = f"{row['share_of_peak']:.0%}" if row.get("share_of_peak") else ""
    kept, beside = (f"{row[one]:.2f}" if one in row else "" for one in ("memory_kept_for_both", "against_autocast"))
    named = row["name"] + (f" (peer: {row['peer']})" if row.get("better") == "lower" and "peer" in row else "")
    return (
        f"| {named} | {row['measured']:.4g} {row['unit']}{spread} | {asked} | {share} | {kept} | {beside} | {verdict} |"
    )


def script(name: str) -> str:
    """The script behind a results file, and what it is given."""
    name, _, instructions = name.partition("_avx")
    return f"{name}.py" + (f" --instructions avx{instructions}" if instructions else "")


def held(found: dict[str, Any]) -> str:
    """To what a lesser machine's libraries were held; nothing where they were not."""
    if not found.get("held"):
        return ""
    told = ", ".join(f"{name}={value}" for name, value in found["held"].items())
    return f" Set for torch and its libraries: {told}; torch says {found['torch_instructions']}."


def reason(name: str) -> str:
    """Why a target was missed."""
    return next((why for part, why in MISSED.items() if part in name), "not known")


def page() -> str:
    """docs/performance.md."""
    parts = [
        "# Performance",
        "Written by `benchmarks/performance.py` from `benchmarks/results/`; `make bench` measures what needs no peer's "
        "folder and writes it anew. Ours and the peer take turns in one process (whole processes where said so); a row "
        "gives the median ratio with the lowest and the highest. Above 1 ours is faster. The share is that of the "
        "machine's own large product in the same precision, measured beside. Then the ratio to the peer with freed "
        "memory kept as our trainings keep it, and that to the peer under bfloat16 autocast.",
    ]
    for name, title in TABLES.items():
        found, rows = rows_of(name)
        parts.append(f"## {title}")
        if not rows:
            parts.append(f"Not yet measured: `python benchmarks/{script(name)}`.")
            continue
        parts.append(
            f"`{found['command']}`, {found['date'][:10]}, {found['machine']}, torch {found['torch']}, load at the end "
            f"{found['load']:.1f}.{held(found)}"
        )
        head = "| | measured | asked for | of the peak | memory kept | autocast | |\n|---|---|---|---|---|---|---|\n"
        parts.append(head + "\n".join(line(row) for row in rows))
    parts += ["## GPU", GPU, "## How cost grows", growth()]
    return "\n\n".join(parts) + "\n"


def growth() -> str:
    """The fitted exponents, and where the plots are."""
    path = RESULTS / "cost_growth.json"
    if not path.exists():
        return "Not yet measured: `python benchmarks/cost_growth.py`."
    found = json.loads(path.read_text(encoding="utf-8"))
    told = [
        "Time for each token and memory, as a power of one size at a time (log-log least squares of the upper end; "
        "`benchmarks/cost_growth.py`). "
        + f"Measured {found['date'][:10]} at load {found['load']:.1f}, so the exponents say more than the levels.",
        "| model | against | from | to | time | residual | memory | residual |\n|---|---|---|---|---|---|---|---|\n"
        + "\n".join(
            f"| {fit['model']} | {fit['axis'].replace('_', ' ')} | {fit['from']:,} | {fit['to']:,} "
            f"| {fit['time_exponent']:.2f} | {fit['time_residual']:.2f} "
            f"| {fit['memory_exponent']:.2f} | {fit['memory_residual']:.2f} |"
            for fit in found["fits"]
        ),
    ]
    pictures = sorted((ROOT / "docs" / "pictures").glob("cost-*.svg"))
    told.append("\n".join(f"![{one.stem.replace('-', ' ')}](pictures/{one.name})" for one in pictures))
    return "\n\n".join(told)


def table() -> str:
    """The README's table: how many targets of each kind are reached, and the span of what was measured."""
    lines = ["| | targets reached | measured |", "|---|---|---|"]
    for name, title in TABLES.items():
        _, rows = rows_of(name)
        asked = [row for row in rows if row["target"] is not None]
        if rows and not asked:
            continue
        if not asked:
            lines.append(f"| {title} | | not yet measured |")
            continue
        ratios = [row["measured"] for row in asked if row["unit"].startswith("times")]
        span = f"{min(ratios):.2f} to {max(ratios):.4g} times as fast" if ratios else ""
        if not ratios and all(row["unit"] == "nats" for row in asked):
            lower = [row["target"] - row["measured"] for row in asked]
            span = f"{min(lower):.2f} to {max(lower):.2f} nats lower"
        lines.append(f"| {title} | {sum(bool(row['met']) for row in asked)} of {len(asked)} | {span} |")
    return "\n".join([*lines, "| GPU | | not yet run on a GPU |"])


def with_table(readme: str) -> str:
    """The README with the table between its marks."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{table()}\n{END}", readme, flags=re.DOTALL)


def main() -> None:
    """Write both."""
    DOCUMENT.write_text(page(), encoding="utf-8")
    README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
