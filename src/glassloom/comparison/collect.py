"""From run folders to the plain data of a comparison: rows, curves, samples."""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from glassloom.comparison.results import ContinuedText, Copies, Curve, Point, Reading, Row, Size, Status
from glassloom.data.corpus import Corpus
from glassloom.generation import DecodingSettings, generate
from glassloom.models import build, settings_of
from glassloom.models.summary import parameter_count
from glassloom.runs import Run
from glassloom.training.loop import default_prompt
from glassloom.units import in_unit
from glassloom.views.memorisation import memorisation

SAMPLE_LENGTH, TEMPERATURE = 300, 0.8
MOST_TOKENS = 20_000_000
"""Copies are looked for in no more than so many tokens of the training text."""


def row_of(run: Run, id: str, setting: str, status: Status = "finished", reason: str | None = None) -> Row:
    """One run as a row: what it reached at its best, and what that cost.

    Of a run over words that an older version scored, without their spellings, the bits are not known.
    """
    config = run.config
    best = best_evaluation(run)
    result = run.result() or {}
    fair = result.get("best", {})
    newest = run.newest().progress()
    seconds = newest["seconds"]
    in_bits = "spelling_nats" in fair or run.corpus["tokenizer"] != "word"
    empty = Row.without_figures(
        id=id, setting=setting, model=config.architecture, seed=config.train.seed, optimizer=config.train.optimizer,
        settings=config.as_dict(), run=str(run.path), status=status, reason=reason,
    )  # fmt: skip
    return dataclasses.replace(
        empty,
        epoch=best.get("epoch"),
        seconds=best.get("seconds"),
        total_seconds=seconds,
        parameters=parameters_of(config.model.model_dump_json(), config.architecture, run.tokenizer.size),
        steps=newest["step"],
        tokens=newest["tokens"],
        tokens_per_second=newest["tokens"] / seconds if seconds else None,
        train_perplexity=in_unit(best.get("train_nats"), "perplexity"),
        valid_perplexity=in_unit(best.get("valid_nats"), "perplexity"),
        valid_perplexity_fair=fair.get("perplexity"),
        nats_per_token=fair.get("nats_per_token"),
        valid_bits_per_character=fair.get("bits_per_character") if in_bits else None,
        valid_bits_per_byte=fair.get("bits_per_byte") if in_bits else None,
        spelling_share=fair.get("spelling_share") or None,
        reading=reading_of(run.corpus, run.config.data.memorises),
    )


@lru_cache(maxsize=1024)
def parameters_of(settings: str, architecture: str, vocabulary: int) -> int:
    """How many parameters a model of these settings (JSON) has; many runs of a comparison are of one size."""
    return parameter_count(build(settings_of(architecture).model_validate_json(settings), vocabulary))


def reading_of(facts: Mapping[str, Any], memorises: bool) -> Reading:
    """How a text was read, from what it says of itself (`Corpus.describe`)."""
    return Reading(
        sizes=sizes_of(facts), vocabulary=facts["vocabulary"], tokenizer=facts["tokenizer"], memorises=memorises
    )


def sizes_of(facts: Mapping[str, Any]) -> dict[str, Size]:
    """The sizes of a text's splits; of sequences the end of each is a token to predict, too."""
    return {
        name: Size(
            tokens=size["tokens"] + size.get("sequences", 0), characters=size["characters"], bytes=size["bytes"],
            spelling_nats=size.get("spelling_nats", 0.0),
        )
        for name, size in facts["sizes"].items()
    }  # fmt: skip


def best_evaluation(run: Run) -> dict[str, Any]:
    """The evaluation with the lowest validation loss; empty where there was none."""
    found = [record for record in run.metrics() if record["event"] == "evaluation"]
    return min(found, key=lambda record: record["valid_nats"], default={})


def curve_of(run: Run, id: str) -> Curve:
    """The losses over training: the training loss often, the validation loss at each evaluation."""
    points = [
        Point(
            step=record["step"],
            epoch=record["epoch"],
            tokens=record["tokens"],
            seconds=record["seconds"],
            train_nats=record["train_nats"] if record["event"] == "train" else None,
            valid_nats=record.get("valid_nats"),
        )
        for record in run.metrics()
    ]
    return Curve(id=id, points=tuple(points))


def sample_of(run: Run, id: str, corpus: Corpus) -> ContinuedText:
    """What the best model writes after the beginning of the held-out text, beside what really stands there."""
    tokenizer = run.tokenizer
    prompt = default_prompt(corpus)
    settings = DecodingSettings(length=SAMPLE_LENGTH, temperature=TEMPERATURE, seed=0)
    text = generate(run.model(), tokenizer, prompt, settings, skip_unknown=True)[0].text
    return ContinuedText(id=id, prompt=prompt, text=text, truth=true_continuation(corpus, prompt))


def copies_of(runs: Mapping[str, Run], corpus: Corpus) -> tuple[Copies, ...]:
    """How much of each run's samples stands in its training text, over training (of a long text, in its beginning)."""
    alike = {id: run for id, run in runs.items() if run.corpus["fingerprint"] == corpus.fingerprint}
    found = memorisation(alike, corpus, most_tokens=MOST_TOKENS)
    return tuple(
        Copies(
            id=id,
            unit=one.written.unit,
            at_least=one.written.at_least,
            steps=one.steps,
            longest=tuple(copy.longest_copy for copy in one.written.samples),
            share=tuple(copy.share for copy in one.written.samples),
            held_out_longest=mean([copy.longest_copy for copy in one.held_out.samples]),
            held_out_share=one.held_out.share if one.held_out.samples else None,
        )
        for id, one in found.items()
    )


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return statistics.fmean(values) if values else None


def true_continuation(corpus: Corpus, prompt: str) -> str | None:
    """What follows the prompt in the held-out text; None for a list of sequences, where nothing does."""
    if corpus.valid.starts is not None:
        return None
    text = corpus.text("valid", 0, SAMPLE_LENGTH + 200)
    return text[len(prompt) :][:SAMPLE_LENGTH] if text.startswith(prompt) else None
