"""A model in a page: how fast it writes in Chromium, how large the page is, and what 16 bits a weight cost.

    glassloom demo
    python benchmarks/page_in_browser.py runs/demo/rnn runs/demo/gru runs/demo/lstm runs/demo/transformer

There is no peer: 200 characters a second were asked for. Each run is exported and opened; the reader's own button
is pressed, so that colours and the picture of the inside are drawn meanwhile, and what the page itself says of its
speed is taken, several times (its clock begins with the first token of the prompt). The losses are those of the first
held-out tokens (protocol `fair`), with the weights as they were trained, in float16 and in bfloat16; the greatest
difference of a logit is that between Chromium and PyTorch, both with the weights of 16 bits.
"""

import argparse
import re
import shutil
import statistics
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import Browser, Page, sync_playwright

from glassloom.data.corpus import Corpus
from glassloom.errors import Notice
from glassloom.exchange import export_run
from glassloom.models.contract import LanguageModel
from glassloom.models.summary import parameter_count
from glassloom.runs import Run, load_run, own_corpus
from glassloom.training import evaluate_split
from measuring import write

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
SPEED = re.compile(r"([\d,]+) characters a second")
PATIENCE = 300_000
"""Milliseconds: a busy machine is waited for."""
TYPES = (torch.float16, torch.bfloat16)


def in_type(model: LanguageModel, type: torch.dtype) -> LanguageModel:
    """The model with its weights rounded to a type."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(type).float())
    return model


def losses(run: Run, corpus: Corpus, tokens: int) -> dict[str, float]:
    """Nats a token on held-out text, by the type of the weights."""
    found = {"float32": evaluate_split(run.model(), corpus, tokens=tokens).figures.nats_per_token}
    for type in TYPES:
        rounded = in_type(run.model(), type)
        name = str(type).removeprefix("torch.")
        found[name] = evaluate_split(rounded, corpus, tokens=tokens).figures.nats_per_token
    return found


def spoken(page: Page, length: int) -> float:
    """Characters a second, as the page says after it has written so many tokens."""
    page.locator("#length").evaluate("(field, length) => { field.value = length; }", length)
    page.locator("#write").click()
    page.locator("#text[aria-busy=true]").wait_for(state="attached")
    page.locator("#text[aria-busy=false]").wait_for(state="attached")
    told = SPEED.search(page.locator("#status").inner_text())
    assert told is not None, page.locator("#status").inner_text()
    return float(told[1].replace(",", ""))


def measure(run: Run, browser: Browser, folder: Path, rounds: int, length: int, tokens: int) -> dict[str, Any]:
    """One run's page."""
    corpus = own_corpus(run)
    path = export_run(run, "html", run.best(), folder / f"{run.name}.html")
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(path.as_uri())
    page.locator("html[data-ready=yes]").wait_for()
    page.locator("#text[aria-busy=false]").wait_for()
    speeds = [spoken(page, length) for _ in range(rounds)]
    ids = run.tokenizer.encode(corpus.text("valid", 0, 500)).tolist()
    here = torch.tensor(page.evaluate("ids => glassloom.logits(ids)", ids))
    with torch.no_grad():
        there = in_type(run.model(), torch.float16)(torch.tensor([ids]))[0][0]
    page.close()
    nats = losses(run, corpus, tokens)
    return {
        "run": run.name,
        "architecture": run.config.architecture,
        "parameters": parameter_count(run.model()),
        "page_megabytes": path.stat().st_size / 1e6,
        "characters_per_second": statistics.median(speeds),
        "lowest": min(speeds),
        "highest": max(speeds),
        "target": 200,
        "greatest_difference_of_a_logit": float((here - there).abs().max()),
        "nats": nats,
        "loss_by_float16": nats["float16"] - nats["float32"],
        "loss_by_bfloat16": nats["bfloat16"] - nats["float32"],
    }


def main(runs: Sequence[str], rounds: int = 5, length: int = 1000, tokens: int = 20_000) -> None:
    """Measure, print, write JSON."""
    found = next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit("No Chromium is installed: apt-get install chromium")
    warnings.simplefilter("ignore", Notice)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        rows = []
        for name in runs:
            row = measure(load_run(name), browser, Path(folder), rounds, length, tokens)
            rows.append(row)
            print(
                f"{row['run']:<12} {row['parameters']:>9,} parameters {row['page_megabytes']:5.2f} MB "
                f"{row['characters_per_second']:6.0f} characters a second "
                f"({row['lowest']:.0f} to {row['highest']:.0f}) "
                f"float16 {row['loss_by_float16']:+.6f} nats, bfloat16 {row['loss_by_bfloat16']:+.6f}"
            )
        version = browser.version
        browser.close()
    command = f"python benchmarks/page_in_browser.py {' '.join(Path(name).name for name in runs)}"
    write("page_in_browser", command, rows, chromium=version, tokens_written=length, tokens_scored=tokens)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders, such as those of the demo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--length", type=int, default=1000, help="tokens written in each round")
    parser.add_argument("--tokens", type=int, default=20_000, help="held-out tokens that are scored")
    main(**vars(parser.parse_args()))
