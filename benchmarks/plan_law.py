"""What the law of `glassloom plan` is made of: short trainings on two texts, and its constants fitted to them.

    python benchmarks/plan_law.py --texts DIR [--fit]

Two texts alone have a part in it: tinyshakespeare and a novel. Each architecture is trained at its own defaults for
30,000 to 480,000 tokens, at its usual width and others, and scored on the whole held-out tenth; Shakespeare's first
70,000 characters are trained on again and again, for what repeated tokens are worth; and the trainings of a minute on
the same two texts are taken from `defaults.json`. What stands in the results is kept (`--fit` trains nothing). The
constants go to `src/glassloom/forecast/law.json`. Their spread is what the law was off when the constants were made
from the one text, and a minute on the other foretold from its shortest trainings.
"""

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import glassloom
from glassloom.config import Config
from glassloom.data import DataSettings
from glassloom.forecast.law import Constants, Law, Point, fit, predicted, worth
from glassloom.forecast.planning import dropout_for
from glassloom.forecast.probing import core
from glassloom.models import build
from measuring import RESULTS, write

TEXTS = {"shakespeare": "shakespeare.txt", "novel": "great_expectations.txt"}
WIDTHS = {"rnn": (256, 128, 512), "gru": (256, 128, 384), "lstm": (256, 128, 384), "transformer": (128, 64, 192)}
"""The usual one first."""
LENGTHS = ((10e3, 1), (30e3, 1), (120e3, 3), (480e3, 1))
"""Tokens, and at how many of the widths."""
SHORT, SHORT_TOKENS = "shakespeare, 70,000 characters", (120e3, 480e3, 1.2e6)
SHORT_MODEL = {"model": "gru", "width": 128}
LAW = Path(__file__).parent.parent / "src" / "glassloom" / "forecast" / "law.json"
COMMAND = "python benchmarks/plan_law.py --texts DIR"
STEPS_OF_A_FIT, SHORTEST = 3000, 130e3


def per_step(model: str) -> int:
    """Tokens of an update at the architecture's own defaults."""
    train = Config.from_flat({"model": model}).train
    return train.batch_size * (train.sequence_length or 1)


def trainings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every training: its text, and its settings."""
    for tokens in SHORT_TOKENS:
        yield SHORT, {**SHORT_MODEL, "steps": round(tokens / per_step("gru"))}
    for tokens, widths in LENGTHS:
        for text in TEXTS:
            for model, all_widths in WIDTHS.items():
                for width in all_widths[:widths]:
                    yield text, {"model": model, "width": width, "steps": max(8, round(tokens / per_step(model)))}


def measured(folder: Path, known: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is known already, and what is missing, trained now."""
    rows = list(known)
    for text, settings in trainings():
        if any(row["text"] == text and row["settings"] == settings for row in rows):
            continue
        own = DataSettings(first_characters=70_000 if text == SHORT else None)
        corpus = glassloom.load_corpus(str(folder / TEXTS[text.partition(",")[0]]), own)
        dropout = {}
        if text == SHORT:
            dropout = {"dropout": dropout_for(settings["steps"] * per_step("gru") / corpus.train.tokens)}
        with tempfile.TemporaryDirectory() as runs:
            result = glassloom.train(
                corpus, runs=runs, name="one", on_event=lambda event: None, sample_every=10**9,
                evaluations=20 if text == SHORT else 1, **settings, **dropout,
            )  # fmt: skip
        tokens = settings["steps"] * per_step(settings["model"])
        rows.append({"text": text, "settings": settings, "tokens": tokens, "unique": corpus.train.tokens,
                     "nats": result.best["nats_per_token"], "seconds": result.seconds})  # fmt: skip
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        write("plan_law", COMMAND, [], trainings=rows)
    return rows


def minutes() -> Iterator[dict[str, Any]]:
    """The trainings of a minute that `defaults.py` made on the same texts."""
    known = json.loads((RESULTS / "defaults.json").read_text())["trainings"]
    for text in TEXTS:
        for model, widths in WIDTHS.items():
            found = known[f"{text}/{model}/ours"]
            yield {"text": text, "settings": {"model": model, "width": widths[0]}, "nats": found["carried"],
                   "tokens": found["steps"] * per_step(model), "unique": 10**9}  # fmt: skip


def parameters(settings: dict[str, Any]) -> int:
    """The parameters but for the vocabulary's."""
    return core(build(Config.from_flat({"model": settings["model"], "width": settings["width"]}).model, 65))


def points_of(rows: Sequence[dict[str, Any]], repeats: float) -> list[tuple[str, Point]]:
    """Rows as points of the law, with their texts."""
    return [
        (row["text"], Point(row["settings"]["model"], parameters(row["settings"]),
                            worth(row["tokens"], row["unique"], repeats), row["nats"]))
        for row in rows
    ]  # fmt: skip


def fitted(points: Sequence[tuple[str, Point]]) -> dict[str, Constants]:
    """The constants of least squared error, beside each text's own floor and scale; held near what is usual.

    Exponents near 0.3, the late beginning near 20,000 tokens: where few points speak, these do.
    """
    models = sorted({point.model for _, point in points})
    texts = sorted({text for text, _ in points})
    which = torch.tensor([models.index(point.model) for _, point in points])
    where = torch.tensor([texts.index(text) for text, _ in points])
    size, tokens, nats = (
        torch.tensor([getattr(point, name) for _, point in points], dtype=torch.float64)
        for name in ("parameters", "tokens", "nats")
    )
    free = {
        "beta": torch.full((len(models),), math.log(0.3)), "late": torch.full((len(models),), math.log(0.02)),
        "data": torch.full((len(models),), math.log(0.4)), "alpha": torch.tensor([math.log(0.3)]),
        "size": torch.tensor([math.log(0.1)]), "floor": torch.full((len(texts),), 1.0),
        "scale": torch.zeros(len(texts)),
    }  # fmt: skip
    free = {name: one.to(torch.float64).requires_grad_() for name, one in free.items()}
    prior = {"beta": (math.log(0.3), 0.4), "late": (math.log(0.02), 1.5), "alpha": (math.log(0.3), 0.3),
             "scale": (0.0, 0.2)}  # fmt: skip
    optimizer = torch.optim.Adam(list(free.values()), lr=0.02)
    for _ in range(STEPS_OF_A_FIT):
        held = free["size"].exp() * (size / 1e6) ** -free["alpha"].exp()
        seen = (tokens / 1e6 + free["late"].exp()[which]) ** -free["beta"].exp()[which]
        told = free["floor"][where] + free["scale"].exp()[where] * (held + free["data"].exp()[which] * seen)
        loss = (((told - nats) / 0.03) ** 2).sum()
        loss = loss + sum((((free[name] - centre) / width) ** 2).sum() for name, (centre, width) in prior.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    at = {name: one.detach() for name, one in free.items()}
    unit = float(at["scale"].mean().exp())  # a scale of 1 is that of these texts
    return {
        model: Constants(
            size=unit * float(at["size"].exp()), alpha=float(at["alpha"].exp()),
            data=unit * float(at["data"][place].exp()), beta=float(at["beta"][place].exp()),
            late=1e6 * float(at["late"][place].exp()),
        )
        for place, model in enumerate(models)
    }  # fmt: skip


def best_repeats(rows: Sequence[dict[str, Any]], constants: dict[str, Constants]) -> float:
    """R for which the law tells best how the short text's loss falls from its first length to the others."""
    own = [row for row in rows if row["text"] == SHORT]

    def error(repeats: float) -> float:
        points = [point for _, point in points_of(own, repeats)]
        law = Law(constants, repeats, 0.0)
        found = fit(points, constants=law)
        return sum((predicted(found, p.model, p.parameters, p.tokens, constants=law)[0] - p.nats) ** 2 for p in points)

    return min((0.5 * 1.15**step for step in range(30)), key=error)


def spread(points: Sequence[tuple[str, Point]], repeats: float) -> tuple[float, list[dict[str, Any]]]:
    """How far off a minute is foretold from short trainings, by constants that the text had no part in."""
    errors, told = [], []
    for text in TEXTS:
        law = Law(fitted([(name, point) for name, point in points if name != text]), repeats, 0.0)
        own = [point for name, point in points if name == text]
        short = [point for point in own if point.tokens < SHORTEST]
        found = fit(short, constants=law)
        for model in WIDTHS:
            last = max((point for point in own if point.model == model), key=lambda point: point.tokens)
            nats, _, _ = predicted(found, model, last.parameters, last.tokens, constants=law)
            errors.append((nats - last.nats) / found.scale / max(1.0, math.log(last.tokens / found.reach)))
            told.append({"name": f"{text}, {model}", "foretold": nats, "measured": last.nats})
    return math.sqrt(sum(error**2 for error in errors) / len(errors)), told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--fit", action="store_true")
    asked = parser.parse_args()
    path = RESULTS / "plan_law.json"
    known = json.loads(path.read_text())["trainings"] if path.exists() else []
    rows = known if asked.fit else measured(asked.texts, known)
    whole = [row for row in rows if row["text"] in TEXTS] + list(minutes())
    points = points_of(whole, 1.0)
    constants = fitted(points)
    repeats = best_repeats(rows, constants) if any(row["text"] == SHORT for row in rows) else 15.4
    off, told = spread(points, repeats)
    LAW.write_text(json.dumps({"architectures": {name: asdict(one) for name, one in constants.items()},
                               "repeats": repeats, "spread": off}, indent=1) + "\n")  # fmt: skip
    write("plan_law", COMMAND, told, trainings=rows, spread=off, repeats=repeats)
    print(json.dumps(json.loads(LAW.read_text()), indent=1))
    for row in told:
        print(f"{row['name']:<28} foretold {row['foretold']:.3f}  measured {row['measured']:.3f}")


if __name__ == "__main__":
    main()
