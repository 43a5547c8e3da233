"""Draw the figures of docs/first-model.md and docs/questions/: `python docs/make_figures.py`, some four minutes.

Each part trains what its page is about, draws an SVG into docs/figures/, and notes in docs/figures/told.json, word for
word, what the commands said; `fill.py` puts that into the pages. `--only NAME` makes one part.
"""

import argparse
import importlib.util
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fill
import torch
from fill import DOCS, MODELS, TEXTS, measured

import glassloom
from glassloom.exhibits import Axis, Bar, Bars, Exhibit, Lines, Series
from glassloom.report.drawing import as_svg, show
from glassloom.report.viewing import write_view
from glassloom.runs import Run

FIGURES = DOCS / "figures"
TOLD = FIGURES / "told.json"
STEPS = 400


def draw(exhibit: Exhibit) -> None:
    """An exhibit as docs/figures/NAME.svg."""
    svg = as_svg(show(exhibit))
    assert svg is not None
    (FIGURES / f"{exhibit.name}.svg").write_text(svg, encoding="utf-8")


def said(folder: Path, *words: str, most: int = 40) -> str:
    """A command with what it printed on standard output, as a block of code. Lines are cut at 100 signs."""
    outcome = subprocess.run(
        [sys.executable, "-m", "glassloom", *words], capture_output=True, text=True, cwd=folder, timeout=600
    )
    assert outcome.returncode in (0, 1), outcome.stderr
    lines = [line.rstrip() for line in outcome.stdout.strip("\n").splitlines()]
    lines = [piece for line in lines for piece in wrapped(line)]
    asked = " ".join(f"'{word}'" if " " in word or not word else word for word in words)
    return "\n".join(["```", f"$ glassloom {asked}", *lines[:most], "```"])


def wrapped(line: str, width: int = 100) -> list[str]:
    """A line in pieces that fit the page, the later ones indented like the first."""
    indent, pieces = " " * (len(line) - len(line.lstrip())), []
    while len(line) > width:
        place = line.rfind(" ", 0, width)
        place = width if place <= len(indent) else place
        pieces.append(line[:place])
        line = indent + line[place:].lstrip()
    return [*pieces, line]


def losses(run: Run) -> dict[str, tuple[tuple[float, ...], tuple[float, ...]]]:
    """By kind of line, steps and nats: `train` and `valid`."""
    kinds = {"train": ("train", "train_nats"), "valid": ("evaluation", "valid_nats")}
    found = {}
    for name, (event, field) in kinds.items():
        lines = [line for line in run.metrics() if line.get("event") == event]
        found[name] = (tuple(line["step"] for line in lines), tuple(line[field] for line in lines))
    return found


def curves(run: Run, name: str, title: str, marks: dict[str, float]) -> Lines:
    """Training and validation loss over steps."""
    found = losses(run)
    series = tuple(
        Series(name=f"{run.config.architecture} · {kind}", x=x, y=y, dashed=kind == "train")
        for kind, (x, y) in found.items()
    )
    return Lines(name=name, title=title, x=Axis("step"), y=Axis("nats per character"), series=series, marks=marks)


def trained(folder: Path, *words: str) -> Run:
    """Train as a user would."""
    said(folder, "train", *words)
    return glassloom.load_run(words[words.index("--name") + 1], folder / "runs")


def first(folder: Path) -> dict[str, str]:
    """docs/first-model.md: a minute on Shakespeare."""
    words = ("train", "shakespeare", "--minutes", "1", "--name", "first")
    told = {"first-train": said(folder, *words)}
    run = glassloom.load_run("first", folder / "runs")
    score = glassloom.evaluate(run)
    marks = {name: score.baselines[name]["nats_per_token"] for name in ("bigram", "kneser-ney-5")}
    draw(curves(run, "first-curve", "A minute of training on Shakespeare", marks))
    told["first-generate"] = said(folder, "generate", "first", "--prompt", "ROMEO:", "--length", "200", "--seed", "1")
    told["first-surprise"] = said(folder, "view", "first", "surprise", "--text", "To be, or not to be", most=14)
    view = glassloom.view(run, "surprise", "To be, or not to be: that is the question.")
    write_view(view, FIGURES / "first-surprise.svg", title="surprise")
    return told


def stuck(folder: Path) -> dict[str, str]:
    """docs/questions/stuck.md: a broken file as it is and mended, and a run that never moved."""
    code = (DOCS / "questions" / "broken.py").read_text(encoding="utf-8")
    mended = code.replace("torch.softmax(self.head(hidden), dim=-1)", "self.head(hidden)")
    assert mended != code
    corpus = glassloom.load_corpus("shakespeare")
    text, size = torch.tensor(corpus.train.ids[:200_000].astype("int64")), corpus.tokenizer.size
    series = []
    for name, source in (("as it is", code), ("mended", mended)):
        path = folder / f"{name.replace(' ', '_')}.py"
        path.write_text(source, encoding="utf-8")
        series.append(Series(name=name, x=tuple(range(1, STEPS + 1, 4)), y=tuple(learned(path, text, size)[::4])))
    marks = {"uniform: ln V": math.log(size), "floor: ln(e + V - 1) - 1": math.log(math.e + size - 1) - 1}
    draw(Lines(name="stuck-curve", title="The same file, as it is and mended", x=Axis("step"),
               y=Axis("nats per character"), series=tuple(series), marks=marks))  # fmt: skip
    (folder / "broken.py").write_text(code, encoding="utf-8")
    told = {"stuck-doctor": said(folder, "doctor", "broken.py")}
    trained(folder, "shakespeare", "--model", "gru", "--lr", "1e-6", "--steps", "300", "--name", "slow")
    told["stuck-run"] = said(folder, "doctor", "slow")
    return told


def learned(path: Path, text: torch.Tensor, size: int) -> list[float]:
    """The loss of a file's model over 400 steps of random windows; the same windows for every file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)
    model = module.build_model(size)
    optimizer, generator = module.build_optimizer(model), torch.Generator().manual_seed(0)
    found = []
    for _ in range(STEPS):
        places = torch.randint(len(text) - 65, (16,), generator=generator)
        rows = torch.stack([text[place : place + 65] for place in places.tolist()])
        loss = module.compute_loss(model(rows[:, :-1]), rows[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


def which(folder: Path) -> dict[str, str]:
    """docs/questions/which-model.md: what `benchmarks/defaults.py` measured; nothing is trained here."""
    results = measured()["trainings"]
    bars = tuple(
        Bar(label=f"{text}: {model}", value=results[f"{text}/{model}/ours"]["carried"], group=model)
        for text in TEXTS
        for model in MODELS
    )
    draw(Bars(name="which-model", title="Held-out loss after a minute on two cores", value=Axis("nats per character"),
              bars=bars))  # fmt: skip
    return {}


def memorising(folder: Path) -> dict[str, str]:
    """docs/questions/memorising.md: a GRU that learns a chapter by heart."""
    run = trained(folder, "goblin-chapter", "--model", "gru", "--steps", "1200", "--name", "chapter")
    draw(curves(run, "memorising-curve", "A GRU on a chapter of 68,000 characters", {}))
    sample = glassloom.generate(run, "The princess", step=1200, length=300, temperature=0.3, seed=1)[0].text
    held_out = glassloom.load_corpus("goblin-chapter").text("valid", 0, 300)
    told = {"memorising-doctor": said(folder, "doctor", "chapter")}
    for name, text in (("memorising-sample", sample), ("memorising-held-out", held_out)):
        told[name] = said(folder, "view", "chapter", "memorised", "--text", text.replace("\n", " "), most=14)
    told["memorising-train"] = said(folder, "evaluate", "chapter", "--split", "train", most=8)
    told["memorising-valid"] = said(folder, "evaluate", "chapter", "--split", "valid", most=8)
    return told


PARTS: dict[str, Callable[[Path], dict[str, str]]] = {
    "first": first, "stuck": stuck, "which": which, "memorising": memorising
}  # fmt: skip

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw the figures of the documentation.")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    asked = parser.parse_args()
    FIGURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        for name, part in PARTS.items():
            if asked.only in (None, name):
                known = json.loads(TOLD.read_text(encoding="utf-8")) if TOLD.exists() else {}
                told = json.dumps(known | part(Path(place)), indent=1, sort_keys=True, ensure_ascii=False)
                TOLD.write_text(told + "\n", encoding="utf-8")
    fill.main()
