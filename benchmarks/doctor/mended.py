"""Does the named fix work? Each sick file and its mended twin, trained alike, and the doctor on the twin.

    python benchmarks/doctor/mended.py [--steps 200 --seeds 1 --only PATTERN --no-doctor]

Both take the same number of steps of their own loops (a plain one where they have none) on the same text. A fix works
where the mended one learns (its loss of the next token ends below the entropy of single tokens) and the doctor calls it
healthy. Losses are of the next token, by one formula for all, whatever the file itself scores; NaN where no logits fit.
"""

import argparse
import math
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import warm
from bounds import bounds
from corpora import write_texts
from examining import examine
from listed import Case, cases
from measuring import write
from sound import text_of
from subject import subject, unigram


def ended(case: Case, steps: int, seed: int) -> float | None:
    """The loss of the next token after training; None where the loop fails or no number comes out."""
    try:
        _, after = subject(case, text_of(case)).trained(steps, seed)
    except (RuntimeError, ValueError, IndexError):
        return None
    return after if math.isfinite(after) else None


def row_of(sick: Case, mended: Case, seed: int, steps: int, texts: dict[str, str], forks: Any) -> dict[str, Any]:
    line = unigram(subject(mended, text_of(mended)).tokens)
    before, after = ended(sick, steps, seed), ended(mended, steps, seed)
    row: dict[str, Any] = {
        "case": mended.id, "name": sick.names[0], "seed": seed, "single_tokens": line, "sick_nats": before,
        "mended_nats": after, "learns": after is not None and after < line - 0.05,
        "gained": None if before is None or after is None else before - after,
    }  # fmt: skip
    if forks is not None:
        said = examine(mended, seed, texts, forks=forks)
        row |= {"healthy": said["right"], "named": said["named"], "error": said.get("error", "")}
    row["works"] = row["learns"] and row.get("healthy", True)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-doctor", action="store_true", help="train only")
    parser.add_argument("--name", default="doctor_mended")
    given = parser.parse_args()
    sick = {case.id: case for case in cases(("sick",), given.only)}
    pairs = [(sick[case.twin], case) for case in cases(("mended",)) if case.twin in sick]
    rows: list[dict[str, Any]] = []
    forks = None if given.no_doctor else warm.prepared()
    with tempfile.TemporaryDirectory() as folder:
        texts = write_texts(Path(folder))
        for seed in range(given.seeds):
            for ill, well in pairs:
                row = row_of(ill, well, seed, given.steps, texts, forks)
                rows.append(row)
                mark, said = (
                    "  " if row["works"] else "**",
                    ", ".join(row.get("named", [])) or row.get("error", "")[-80:],
                )
                nats = f"{row['sick_nats'] or math.nan:7.3f} -> {row['mended_nats'] or math.nan:6.3f}"
                print(f"{mark} {row['case']:30} {row['name']:28} {nats} {said}", flush=True)
    files = {row["case"]: all(r["works"] for r in rows if r["case"] == row["case"]) for row in rows}
    low, high = bounds(sum(files.values()), len(files))
    gains = [row["gained"] for row in rows if row["gained"] is not None]
    facts = {
        "files": len(files), "works": sum(files.values()), "low": low, "high": high, "steps": given.steps,
        "learns": sum(row["learns"] for row in rows), "gained_median": statistics.median(gains) if gains else None,
        "asked": not given.no_doctor,
    }  # fmt: skip
    write(given.name, " ".join(["python", *sys.argv]), rows, summary=facts)
    print(f"the fix works in {facts['works']} of {len(files)} files ({100 * low:.1f} to {100 * high:.1f} %)")


if __name__ == "__main__":
    main()
