"""Comparisons for tests of tables, recommendations and pages. A formula draws the curves, and only tests do that."""

import csv
import math
import random
from dataclasses import replace
from pathlib import Path

from glassloom.comparison import (
    BaselineFigures,
    Comparison,
    ContinuedText,
    CorpusFacts,
    Curve,
    Point,
    Protocols,
    Recommendation,
    Row,
    Size,
    recommend,
)

ROOT = Path(__file__).parent.parent
REPORTED = ROOT / "src" / "glassloom" / "recipes" / "reported" / "ptb.csv"

ENGLISH = (
    "KING RICHARD:\nNow is the winter of our discontent",
    "\nMade glorious summer by this son of York,\nAnd all the clouds that lour'd upon our house",
    "\nMade in the shall the some of the world,\nAnd with the courst  of my lord the\x1b[31m king\x00s",
)
HEBREW = (
    "הַכְנִיסִינִי תַּחַת כְּנָפֵךְ,",
    "\nוַהֲיִי לִי אֵם וְאָחוֹת,\nוִיהִי חֵיקֵךְ מִקְלַט רֹאשִׁי,",
    "\nוְלֹא יָדַעְתִּי אֶת־הַדֶּרֶךְ,\nכִּי בָא הָעֶרֶב (1905) עַל הָאָרֶץ",
)
MARKUP = "</script><script>window.hacked=1</script><img src=x onerror=window.hacked=2>"
MODELS = {"rnn": (2.30, 9.0), "gru": (2.02, 14.0), "lstm": (2.07, 18.0), "transformer": (1.96, 24.0)}
"""For each architecture: the bits per character it ends near, and the time constant of its learning in seconds."""

OVERFITTING = {"rnn": 0.002, "gru": 0.003, "lstm": 0.006, "transformer": 0.0005}


def corpus(tokenizer: str = "char", name: str = "shakespeare") -> CorpusFacts:
    train = Size(tokens=1_003_854, characters=1_003_854, bytes=1_003_854)
    valid = Size(tokens=111_540, characters=111_540, bytes=111_540)
    return CorpusFacts(
        name=name,
        source=f"texts/{name}.txt",
        sizes={"train": train, "valid": valid, "test": Size(tokens=0, characters=0, bytes=0)},
        sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        vocabulary=10_000 if tokenizer == "word" else 65,
        tokenizer=tokenizer,
        split_rule="90/10, contiguous",
    )


def row(name: str, seconds: float | None, perplexity: float | None, model: str = "gru", **changes: object) -> Row:
    """A finished row of one setting with the figures that decide."""
    blank = Row.without_figures(
        id=name, setting=name, model=model, seed=1, optimizer="adam", settings={"lr": 1e-3}, run=f"runs/{name}",
        status="failed", reason="",
    )  # fmt: skip
    figures = {
        "status": "finished",
        "reason": None,
        "seconds": seconds,
        "valid_perplexity": perplexity,
        "valid_perplexity_fair": perplexity,
        "nats_per_token": None if perplexity is None else math.log(perplexity),
    }
    return replace(blank, **{**figures, **changes})


def reported_rows() -> list[Row]:
    """The figures reported in the course report: total seconds, and the best validation perplexity."""
    rows = []
    with REPORTED.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["split"] == "valid":
                best = min(float(line[f"epoch_{epoch}"]) for epoch in range(1, 21))
                blank = row(line["id"], float(line["seconds"]), best)
                rows.append(replace(blank, nats_per_token=None, valid_perplexity_fair=None))
    return rows


def baseline(bits: float) -> BaselineFigures:
    nats = bits * math.log(2)
    return BaselineFigures(nats_per_token=nats, perplexity=math.exp(nats), bits_per_character=bits, bits_per_byte=bits)


BASELINES = {"uniform": 6.022, "unigram": 4.785, "bigram": 3.521, "kneser-ney-5": 2.408, "xz": 3.148}


def made_up(
    seeds: int = 2, points: int = 120, models: tuple[str, ...] = tuple(MODELS), text: tuple[str, str, str] = ENGLISH,
    tokenizer: str = "char", diverged: bool = True, title: str = "Four models on Shakespeare",
) -> Comparison:  # fmt: skip
    """A whole comparison, as a page may get it."""
    rows, curves, samples = [], [], []
    scale = 1.0 if tokenizer == "char" else 2.4
    for model in models:
        for seed in range(1, seeds + 1):
            rng = random.Random(f"{model}{seed}")
            end, constant = MODELS[model]
            end += rng.uniform(-0.02, 0.02)
            curve = []
            for place in range(points):
                seconds = 60.0 * (place + 1) / points
                step = round(seconds * 30)
                fall = (6.0 - end) * (0.75 * math.exp(-seconds / constant * 3) + 0.25 * math.exp(-seconds / constant))
                over = OVERFITTING[model] * max(0.0, seconds - 2.2 * constant) ** 1.2
                loss = (end + fall + over) * math.log(2) * scale
                curve.append(Point(
                    step=step, epoch=step * 4096 / 1_003_854, tokens=step * 4096, seconds=seconds,
                    train_nats=loss * (1 + rng.gauss(0, 0.02)) - 0.06 * seconds / 60,
                    valid_nats=loss + 0.05 if place % 6 == 5 else None,
                ))  # fmt: skip
            best = min((point for point in curve if point.valid_nats is not None), key=lambda point: point.valid_nats)
            name = f"{model}-{seed}"
            curves.append(Curve(id=name, points=tuple(curve)))
            nats = best.valid_nats + 0.01
            rows.append(row(
                name, best.seconds, math.exp(best.valid_nats), model, setting=model, seed=seed,
                settings={
                    "lr": 3e-3 if model == "transformer" else 2e-3, "layers": 2, "width": 256, "dropout": 0.1,
                    "clip_norm": 1.0, "schedule": "cosine", "batch_size": 32, "sequence_length": 128, "seed": seed,
                    **({"heads": 8, "positions": "rotary"} if model == "transformer" else {}),
                },
                epoch=best.epoch, total_seconds=60.2, parameters={"rnn": 168_001, "gru": 431_425}.get(model, 612_033),
                steps=1800, tokens=7_372_800, tokens_per_second=122_471.0,
                train_perplexity=math.exp(best.train_nats), valid_perplexity_fair=math.exp(nats), nats_per_token=nats,
                valid_bits_per_character=nats / math.log(2), valid_bits_per_byte=nats / math.log(2),
            ))  # fmt: skip
            truth, wrote = text[1], text[2] + (MARKUP if model == "gru" and seed == 1 else "")
            samples.append(ContinuedText(id=name, prompt=text[0], text=wrote, truth=truth))
    if diverged:
        rows.append(
            Row.without_figures(
                id="rnn lr=1-1", setting="rnn lr=1", model="rnn", seed=1, optimizer="sgd",
                settings={**rows[0].settings, "lr": 1.0}, run="runs/rnn lr=1-1",
                status="diverged", reason="the training loss was not finite at step 212",
            )
        )  # fmt: skip
    facts = corpus(tokenizer, "hebrew" if text is HEBREW else "shakespeare")
    baselines = {name: baseline(bits * scale) for name, bits in BASELINES.items()}
    return Comparison(
        title=title,
        command="glassloom compare shakespeare --models rnn,gru,lstm,transformer --minutes 1 --seeds 2 --out one",
        date="2026-11-20T12:00:00+00:00",
        corpus=facts,
        budget="Every run had 1 minute of training on 2 threads.",
        baselines=baselines,
        protocols=Protocols(
            in_training="The first 64 windows of 128 tokens of the validation text (protocol: windows).",
            fair="Every token of the validation text scored once, the context carried (protocol: carried).",
        ),
        rows=tuple(rows),
        curves=tuple(curves),
        samples=tuple(samples),
        copies=(),
        recommendation=recommend(rows, facts, curves, baselines),
        environment={"python": "3.12.3", "torch": "2.13.0+cpu", "threads": 2, "device": "cpu", "precision": "float32"},
    )


def no_recommendation() -> Recommendation:
    return Recommendation(sentences=(), generalization=None, time=None, front=())
