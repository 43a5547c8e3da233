"""A run in lm-evaluation-harness: its tasks through lm-eval itself, their figures against our own."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import glassloom
from commands import Commands
from glassloom.data.corpus import Corpus
from glassloom.errors import InputError, SettingError
from glassloom.exchange import harness
from glassloom.runs import Run
from glassloom.training.evaluation import line_break
from trainings import language, small, stream, train

pytestmark = pytest.mark.long  # the harness weighs 740 MB: `make test-all` installs it

ROLLING = """task: own_text
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{text}}}}"
metric_list:
  - metric: byte_perplexity
    aggregation: weighted_perplexity
    higher_is_better: false
  - metric: bits_per_byte
    aggregation: bits_per_byte
    higher_is_better: false
metadata: {{version: 1.0}}
"""
CHOICES = """task: own_choices
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
output_type: multiple_choice
test_split: test
doc_to_text: "{{{{context}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: 0
target_delimiter: ""
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata: {{version: 1.0}}
"""
WRITING = """task: own_writing
dataset_path: json
dataset_kwargs:
  data_files: {{test: {data}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{context}}}}"
doc_to_target: "{{{{written}}}}"
target_delimiter: ""
generation_kwargs:
  until: ["\\n"]
  max_gen_toks: 12
metric_list:
  - metric: exact_match
    aggregation: mean
    higher_is_better: true
metadata: {{version: 1.0}}
"""


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """lm-eval's libraries look for nothing on the network, and keep their caches here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("TOKENIZERS_PARALLELISM", "false")
        yield


@pytest.fixture(scope="module")
def corpus(tiny_text: str) -> Corpus:
    return stream(tiny_text, 6000)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> dict[str, Run]:
    root = tmp_path_factory.mktemp("runs")
    return {name: train(corpus, root, name, **small(name, steps=30)).run for name in ("gru", "transformer")}


def task(folder: Path, template: str, documents: list[dict[str, Any]]) -> str:
    """A task of lm-eval in a folder of its own."""
    data = folder / "documents.json"
    data.write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    file = folder / "task.yaml"
    file.write_text(template.format(data=data), encoding="utf-8")
    return str(file)


def figure(found: dict[str, Any], name: str) -> float:
    [results] = found["results"].values()
    return float(results[f"{name},none"])


@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_a_whole_text_costs_the_bits_that_evaluate_counts(
    runs: dict[str, Run], corpus: Corpus, tmp_path: Path, name: str
) -> None:
    score = glassloom.evaluate(runs[name], "train", corpus=corpus)
    text = corpus.tokenizer.decode(corpus.train.ids)
    assert line_break(corpus) == corpus.tokenizer.encode("\n")[0], "both begin after a line break"
    found = harness.score(runs[name], [task(tmp_path, ROLLING, [{"text": text}])])
    assert figure(found, "bits_per_byte") == pytest.approx(score.figures.bits_per_byte, rel=1e-6)
    assert figure(found, "byte_perplexity") == pytest.approx(2**score.figures.bits_per_byte, rel=1e-6)
    assert found["n-samples"]["own_text"] == {"original": 1, "effective": 1}


def test_every_document_is_scored_by_itself(runs: dict[str, Run], corpus: Corpus, tmp_path: Path) -> None:
    text = corpus.tokenizer.decode(corpus.valid.ids)
    documents = [text[:100], text[100:150]]
    found = harness.score(runs["gru"], [task(tmp_path, ROLLING, [{"text": one} for one in documents])])
    model, nats, size = runs["gru"].model(), 0.0, 0
    for one in documents:
        ids = torch.tensor([corpus.tokenizer.encode("\n" + one).tolist()])
        with torch.no_grad():
            odds = model(ids[:, :-1])[0].double().log_softmax(-1)
        nats -= float(odds.gather(-1, ids[:, 1:, None]).sum())
        size += len(one.encode())
    assert figure(found, "bits_per_byte") == pytest.approx(nats / size / math.log(2), rel=1e-6)


def test_a_continuation_is_scored_after_its_context_and_known_for_greedy(runs: dict[str, Run], corpus: Corpus) -> None:
    scorer, model, encode = harness.Scorer(runs["gru"]), runs["gru"].model(), corpus.tokenizer.encode
    greedy = glassloom.generate(runs["gru"], "The ", length=4, greedy=True)[0].text
    for context, continuation, is_greedy in (("The ", greedy, True), ("The ", "end", False), ("", "T", False)):
        ids = torch.tensor([encode((context or "\n") + continuation).tolist()])
        with torch.no_grad():
            odds = model(ids[:, :-1])[0].double().log_softmax(-1).gather(-1, ids[:, 1:, None])[0, :, 0]
        found = scorer.continuation(context, continuation)
        assert found[0] == pytest.approx(float(odds[-len(continuation) :].sum()), abs=1e-5)
        assert found[1] is is_greedy


def test_choices_and_texts_are_those_of_our_own_functions(runs: dict[str, Run], tmp_path: Path) -> None:
    contexts = ["The ", "is better ", "def "]
    scorer = harness.Scorer(runs["gru"])
    options = ["than", "e ", "x"]
    likely = [max(range(3), key=lambda i, c=context: scorer.continuation(c, options[i])[0]) for context in contexts]
    (tmp_path / "one").mkdir()
    choices = [{"context": context, "choices": options} for context in contexts]
    found = harness.score(runs["gru"], [task(tmp_path / "one", CHOICES, choices)])
    assert figure(found, "acc") == pytest.approx(sum(place == 0 for place in likely) / 3)
    own = [glassloom.generate(runs["gru"], one, length=12, greedy=True, stop=["\n"])[0].text for one in contexts]
    (tmp_path / "two").mkdir()
    texts = [{"context": context, "written": text} for context, text in zip(contexts, [*own[:2], "else"], strict=True)]
    found = harness.score(runs["gru"], [task(tmp_path / "two", WRITING, texts)])
    assert figure(found, "exact_match") == pytest.approx(2 / 3)


def test_a_model_of_sequences_reads_its_start_first(tmp_path: Path) -> None:
    run = train(language(), tmp_path, **small("lstm", steps=10, sequence_length=None)).run
    text = "".join(run.tokenizer.labels()[index] for index in (3, 4, 3))
    specials, ids = run.tokenizer.specials, run.tokenizer.encode(text).tolist()
    read = torch.tensor([[specials[".start"], *ids]])
    with torch.no_grad():
        odds = run.model()(read[:, :-1])[0].double().log_softmax(-1).gather(-1, read[:, 1:, None])
    assert harness.Scorer(run).rolling(text) == pytest.approx(float(odds.sum()), abs=1e-5)
    assert harness.Scorer(run).continuation("", text)[0] == pytest.approx(float(odds.sum()), abs=1e-5)


def test_lm_eval_finds_the_model_in_its_registry(runs: dict[str, Run], tmp_path: Path) -> None:
    harness.register()
    harness.register()
    import lm_eval
    from lm_eval.tasks import TaskManager

    file = task(tmp_path, ROLLING, [{"text": "The end"}])
    ours = harness.score(runs["gru"], [file])
    theirs = lm_eval.simple_evaluate(
        model="glassloom", model_args=f"run={runs['gru'].path}", tasks=["own_text"],
        task_manager=TaskManager(include_path=str(tmp_path)), bootstrap_iters=0,
    )  # fmt: skip
    assert theirs["results"] == ours["results"]


def test_the_command_prints_the_figures(commands: Commands, runs: dict[str, Run], tmp_path: Path) -> None:
    file = task(tmp_path, ROLLING, [{"text": "The end"}, {"text": "is here"}])
    told = commands.done("evaluate", runs["gru"].path, "--harness", file, "--limit", 1)
    found = commands.done("evaluate", runs["gru"].path, "--harness", file, "--limit", 1, "--json").json
    bits = figure(found, "bits_per_byte")
    assert found["n-samples"]["own_text"]["effective"] == 1
    assert ["own_text", "bits_per_byte", f"{bits:.4f}"] in [line.split() for line in told.out.splitlines()]


def test_what_stands_in_the_way_is_said_in_one_sentence(
    commands: Commands, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = runs["gru"].path
    assert "lm-eval has no task nothing-such" in commands.refused("evaluate", path, "--harness", "nothing-such")
    assert "There is no file" in commands.refused("evaluate", path, "--harness", tmp_path / "no.yaml")
    assert "--harness names no task" in commands.refused("evaluate", path, "--harness", ",")
    assert "--limit and --shots are for --harness" in commands.refused("evaluate", path, "--limit", 3)
    with pytest.raises(InputError, match="never saw"):
        harness.score(runs["gru"], [task(tmp_path, ROLLING, [{"text": "a \u2603"}])])
    without = harness.score(runs["gru"], [task(tmp_path, ROLLING, [{"text": "a \u2603"}])], skip_unknown=True)
    assert figure(without, "bits_per_byte") > 0
    harness.model_class.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "lm_eval.api.model", None)
    with pytest.raises(SettingError, match=r"glassloom\[harness\]"):
        harness.register()
