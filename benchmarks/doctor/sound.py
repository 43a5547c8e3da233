"""Is each case what it is said to be? Measured without the doctor: the referee is refereed.

    python benchmarks/doctor/sound.py [--only PATTERN --steps 200]

A sick file has the fault it is listed with (`evidence.py`) or, where only training shows it, does not learn while its
mended twin does; its mended twin has it no more. A healthy file has no fault that can be measured without training, and
learns: after some hundred steps of its own loop its loss lies below the entropy of single tokens, which no model
reaches that has learnt nothing about order (but where the note says that there is nothing to learn).
"""

import argparse
import sys
import time
import traceback
from dataclasses import replace

from corpora import TEXTS, words
from evidence import EVIDENCE, generation_mismatch
from listed import Case, cases
from subject import Subject, subject, unigram

EXACT = [
    "future-leak", "batch-leak", "no-past", "input-ignored", "no-position", "eval-randomness", "vocabulary-mismatch",
    "state-leaks-across-calls", "unreached-parameters", "optimizer-misses-parameters", "layers-share-weights",
]  # fmt: skip
"""What no healthy file may have."""
AT_THE_FLOOR = ("rnn_03.py", "transformer_08.py")


def text_of(case: Case) -> str:
    """The text that a case is listed with; else words."""
    named = [flag.strip("{}") for flag in case.flags if flag.startswith("{")]
    return (TEXTS[named[0]] if named else words)()


def learns(of: Subject, steps: int) -> tuple[bool, str]:
    before, after = of.trained(steps)
    line = unigram(of.tokens)
    return after < line - 0.05, f"{before:.3f} -> {after:.3f} (single tokens {line:.3f})"


def sick(case: Case, twins: dict[str, Case], steps: int) -> tuple[bool, str]:
    text = text_of(case)
    name, twin = case.names[0], twins.get(f"sick/{case.file}")
    if name in EVIDENCE:
        there = EVIDENCE[name](subject(case, text))
        mended = twin is None or not EVIDENCE[name](subject(twin, text))
        return there and mended, "" if there and mended else f"there: {there}, gone in the twin: {mended}"
    fails, told = learns(subject(case, text), steps)
    works, also = learns(subject(twin, text), steps) if twin else (True, "")
    return not fails and works, f"{told}; mended {also}"


def healthy(case: Case, steps: int) -> tuple[bool, str]:
    of = replace(subject(case, text_of(case)), warm=3)
    found = [name for name in EXACT if EVIDENCE[name](of)]
    if "generate" in of.own and "draws" not in case.note and "samples" not in case.note and generation_mismatch(of):
        found.append("generation-mismatch")
    works, told = learns(replace(of, warm=0), steps)
    if case.file in AT_THE_FLOOR:
        works = True
    return works and not found, f"{told} {', '.join(found)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--kinds", nargs="+", default=["sick", "healthy"])
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    twins = {case.twin: case for case in cases(("mended",))}
    wrong = 0
    for case in cases(tuple(given.kinds), given.only):
        started = time.perf_counter()
        try:
            right, told = sick(case, twins, given.steps) if case.kind == "sick" else healthy(case, given.steps)
        except Exception:
            right, told = False, traceback.format_exc(limit=-2).replace("\n", " ")[-300:]
        wrong += not right
        name = case.names[0] if case.names else ""
        seconds = time.perf_counter() - started
        print(f"{'  ' if right else '**'} {case.id:30} {name:28} {seconds:5.1f} s {told}", flush=True)
    print(f"{wrong} cases are not what they are said to be")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
