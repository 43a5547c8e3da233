"""Write what was measured of the doctor into `docs/doctor.md` and the README: every figure comes from the results.

    python benchmarks/doctor/table.py                 the tables, between their marks, written anew
    python benchmarks/doctor/table.py --example       the README's example too: a real run of the failing transformer

The marks are `<!-- doctor figures -->` and `<!-- end of doctor figures -->` in `docs/doctor.md`, `<!-- doctor -->` and
`<!-- end of doctor -->` in the README; a page without them is left as it is.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from figures import in_words
from listed import CASES

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE, README = ROOT / "docs" / "doctor.md", ROOT / "README.md"
EXAMPLE = CASES / "sick" / "transformer_01.py"
"""The transformer of REFERENCE.md E."""
SETS = {
    "doctor": "files written as students write them",
    "doctor_mutation": "faults put into our own architectures",
}
PEERS = (
    ("DEFault", "94.3 %", "63.5 %", "its own benchmark"),
    ("NeuraLint", "70.5 % (recall)", "not given", "its own benchmark"),
)
"""As published; none of the sets are ours, and ours are none of theirs."""


def result(name: str) -> dict[str, Any]:
    """A results file; empty where nobody has run it."""
    path = RESULTS / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def rates() -> str:
    """Detection, names, false alarms and seconds of each set, and the published figures of others."""
    lines = [
        "| set | sick found | named right, first | healthy called sick | seconds: median, most |",
        "|" + "---|" * 5,
    ]
    for name, title in SETS.items():
        found = result(name)
        if not found:
            lines.append(f"| {title} | not yet run | | | |")
            continue
        figures = found["summary"]
        seconds = f"{figures['seconds_median']:.1f}, {figures['seconds_most']:.1f}"
        told = [in_words(figures[part]) for part in ("detected", "right_name_first", "false_alarms")]
        lines.append(f"| {title}, {found['seeds']} seeds | {' | '.join(told)} | {seconds} |")
    lines += [f"| {who} (published; {where}) | {seen} | {named} | not given | |" for who, seen, named, where in PEERS]
    return "\n".join(lines)


def names() -> str:
    """A line for each name, over both sets."""
    both: dict[str, list[int]] = {}
    forms: dict[str, set[str]] = {}
    for name in SETS:
        for title, line in result(name).get("summary", {}).get("names", {}).items():
            before = both.get(title, [0, 0, 0])
            both[title] = [a + line[key] for a, key in zip(before, ("runs", "detected", "right"), strict=True)]
            forms.setdefault(title, set()).update(line["forms"])
    lines = ["| name | runs | found | named first | in |", "|---|---|---|---|---|"]
    lines += [
        f"| `{name}` | {runs} | {seen} | {right} | {', '.join(sorted(forms[name]))} |"
        for name, (runs, seen, right) in sorted(both.items())
    ]
    return "\n".join(lines)


def fixes() -> str:
    """How often the named fix made the model learn."""
    found = result("doctor_mended").get("summary")
    if not found:
        return "Whether the named fixes work is not yet measured (`benchmarks/doctor/mended.py`)."
    asked = " and is then called healthy" if found["asked"] else ""
    return (
        f"With the named fix applied, the model learns within {found['steps']} steps{asked} in {found['works']} of"
        f" {found['files']} files (95 % bounds: {100 * found['low']:.1f} to {100 * found['high']:.1f} %)."
    )


def figures() -> str:
    return (
        f"{rates()}\n\nRates are over files: one counts as found only where every seed found it; in brackets exact 95 %"
        " bounds. The sets of the published tools are others than ours, their faults mostly of other kinds, so the rows"
        f" are no contest.\n\n{names()}\n\n{fixes()}"
    )


def example() -> str:
    """The doctor on the failing transformer, as the terminal shows it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "memoriser.py"
        file.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
        command = [sys.executable, "-m", "glassloom", "doctor", file.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 1:
        raise SystemExit(f"the doctor ended with {done.returncode}: {done.stderr[-400:]}")
    return f"```\n$ glassloom doctor memoriser.py\n{done.stdout.strip()}\n```"


def between(page: str, begin: str, end: str, text: str) -> str:
    """The page with that between its marks."""
    if begin not in page or end not in page:
        return page
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"


def with_figures(page: str) -> str:
    return between(page, "<!-- doctor figures -->", "<!-- end of doctor figures -->", figures())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", action="store_true", help="run the doctor for the README too")
    given = parser.parse_args()
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    if given.example:
        readme = README.read_text(encoding="utf-8")
        README.write_text(between(readme, "<!-- doctor -->", "<!-- end of doctor -->", example()), encoding="utf-8")


if __name__ == "__main__":
    main()
