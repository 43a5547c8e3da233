"""What the documentation says to type: every `sh` and `python` block of its pages, and how each is run in the tests.

What is run is the page's own line. Only what these tables declare is changed, so that it takes a moment and fetches
nothing; what cannot be run here has its reason, and is held to the command line's own flags all the same.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```", re.DOTALL | re.MULTILINE)

SMALL = ["--width", "16", "--layers", "1", "--batch-size", "4", "--sequence-length", "16"]
SMALL += ["--eval-tokens", "200", "--sample-length", "10"]
BUDGETS = ("--minutes", "--steps", "--epochs", "--train-tokens", "--samples")

NOT_RUN = {
    r"^torchrun --nnodes": "needs two machines; test_machines.py starts two agents with a rendezvous",
    r"^torchrun|--workers": "starts processes of its own; test_workers_command.py does that",
    r"--on \S": "needs a cluster; test_cluster.py starts one, test_slurm.py runs the scripts",
    r"^bash .*/submit.sh": "needs Slurm; test_slurm.py hands the scripts to a stand-in",
    r"^glassloom (serve|studio)\b": "runs until it is ended; test_serving.py and test_studio_guard.py end it",
    r"^curl ": "needs a server that listens; test_serving.py sends the same",
    r"mingru|threes|calibration|doctor own$": "needs the example package; test_outsider.py installs it",
    r"^benchmarks/gpu|^for part": "needs a GPU",
    r"^python (benchmarks|docs)/": "takes minutes; what it writes is committed",
    r"^make ": "sets up an environment of its own; .ci/run begins with it",
    r"^pip install": "needs an index of packages",
}
"""By a pattern of the line: why it is not run here."""
LONG = {
    r"^glassloom (search|plan)\b": "trains several models; test_search.py and test_plan.py train smaller ones",
    r"^glassloom doctor (?!--)": "examines for some twenty seconds; test_doctor_runs.py does so, too",
    r"^glassloom run (memorise-chapter|formal-languages)": "writes a page; README.md's do so in `make test`",
}
"""By a pattern of the line: run by `make test-all` only."""

INSTEAD = {
    "shakespeare": "novel.txt",
    "goblin-chapter": "novel.txt",
    "ptb": "novel.txt",
    "poem.txt": "novel.txt",
    "runs/broken": "runs/novel",
    "500": "4",
    "1200": "5",
}
"""By a word: what stands for it, for the tests fetch no text, and their runs end at step 4 or 5."""

IN_PYTHON = {
    "trials=50, minutes=30": "trials=2, steps=9, width=16, layers=1, threads=1",
    '"shakespeare", minutes=30': '"shakespeare", minutes=0.25, models=["rnn"], threads=1',
    '"shakespeare"': '"novel.txt"',
    "minutes=2": "steps=4, width=16, layers=2, threads=1",
    "minutes=1": "steps=4, width=16, layers=1, samples=60, threads=1",
    'out="runs/lr"': 'out="runs/lr", steps=2, width=16, layers=1, threads=1',
}
"""By a stretch of a `python` block: what stands for it, a text that is at hand or a budget of a moment."""
NOT_RUN_IN_PYTHON = {
    "from openai": "needs a server that listens; test_serving_clients.py talks to one",
    "import lm_eval": "needs a package of 740 MB; test_harness.py uses it in `make test-all`",
}
"""By a stretch of a `python` block: why it is not run here."""

TINY_RECIPE = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "The pages' recipes, smaller."
settings = { width = 16, layers = 1, batch_size = 4, sequence_length = 16, eval_tokens = 200, sample_length = 10 }
[[part]]
name = "words"
title = "Words"
corpus = "novel.txt"
runs = [{ id = "3.2a", model = "gru", steps = 10, threads = 1 }]
"""
"""Stands for each of the listed recipes, whose own commands take minutes; it has the run that the README names."""


@dataclass(frozen=True)
class Line:
    """A line of a `sh` block, as it stands there, and its words without the remark."""

    page: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words that the shell makes of it; of `.venv/bin/glassloom` the last part."""
        words = shlex.split(self.text, comments=True)
        return [words[0].removeprefix(".venv/bin/"), *words[1:]] if words else []

    @property
    def ours(self) -> list[str] | None:
        """What is given to `glassloom`; None for another program."""
        words = self.words
        return words[words.index("glassloom") + 1 :] if "glassloom" in words else None

    def reason(self, table: dict[str, str]) -> str | None:
        """Why a table keeps it from being run; None where it does not."""
        line = shlex.join(self.words)
        return next((why for pattern, why in table.items() if re.search(pattern, line)), None)


def page_name(path: Path) -> str:
    """`README.md`, `views.md`, `questions/stuck.md`."""
    return path.relative_to(ROOT).as_posix().removeprefix("docs/")


def blocks(path: Path, kind: str) -> list[str]:
    """The blocks of a page in one language."""
    return [text for language, text in BLOCK.findall(path.read_text(encoding="utf-8")) if language == kind]


def lines(path: Path) -> list[Line]:
    """Every line of a page's `sh` blocks; one that ends in a backslash goes on in the next."""
    joined = [re.sub(r"\\\n\s*", "", block).splitlines() for block in blocks(path, "sh")]
    return [found for block in joined for text in block if (found := Line(page_name(path), text)).words]


def every_line() -> list[Line]:
    """All lines of all pages."""
    return [line for path in PAGES for line in lines(path)]


def shorter(words: list[str]) -> list[str]:
    """The same command with so small a model and budget that it takes a moment."""
    words = [INSTEAD.get(word, word) for word in words]
    match words[0]:
        case "run" if "--list" not in words:
            return ["run", "tiny.toml", *words[2:], "--out", f"runs/{words[1]}"]
        case "gradcheck":
            return [*words, "--model", "rnn"]
        case "search":
            return [*words[:2], "--model", "gru", "--trials", "2", "--steps", "9", *SMALL]
        case "plan":
            return [*words[:2], "--minutes", "0.25", "--models", "rnn", "--threads", "1"]
        case "train" | "compare":
            kept = without(words, BUDGETS)
            drawn = ["--samples", "60"] if "--samples" in words else []
            if "--seeds" in kept:
                kept[kept.index("--seeds") + 1] = "2"
            if "--resume" in words:
                return [*kept, "--steps", "10"]
            small = without(SMALL, ("--width",)) if "--match" in words else SMALL
            return [*kept, "--steps", "5", *drawn, *small]
    return words


def without(words: list[str], flags: tuple[str, ...]) -> list[str]:
    """The words without these flags and their values."""
    kept, skipping = [], False
    for word in words:
        if not skipping and word not in flags:
            kept.append(word)
        skipping = word in flags
    return kept
