"""A run as a page: what is written, what it says of the run, what it may not do, and what is refused."""

import base64
import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import glassloom
from commands import TINY, Commands
from comparisons import MARKUP
from glassloom.data import DataSettings
from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import GlassloomError, RunError, SettingError
from glassloom.exchange import FORMATS
from glassloom.exchange.page import ENGINE, INTERFACE, joined, page_as_html, source
from glassloom.exchange.rounding import rounded
from glassloom.exchange.telling import losses, told_of
from glassloom.models import ARCHITECTURES, build, settings_of
from glassloom.models.summary import parameter_count
from glassloom.runs import Run, load_run
from model_pages import LETTERS, told
from test_report import Seen, digest


@pytest.fixture(scope="module")
def run(trained: Path) -> Run:
    return load_run(trained)


@pytest.fixture(scope="module")
def seen(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    path = glassloom.export(run, to="html", out=tmp_path_factory.mktemp("export") / "model.html")
    return Seen(path.read_text(encoding="utf-8"))


def test_weights_are_rounded_to_the_nearest_number_of_16_bits() -> None:
    weight = torch.randn(300, generator=torch.Generator().manual_seed(1)) * torch.logspace(-9, 3, 300)
    found = rounded("weight", weight)
    assert found.type == "float16"
    assert np.array_equal(np.frombuffer(found.data, "<f2"), weight.numpy().astype("<f2"))
    beyond = rounded("weight", torch.tensor([1e6, -1.0]))
    assert beyond.type == "bfloat16"
    assert np.frombuffer(beyond.data, "<u2").tolist() == [0x4974, 0xBF80], "1e6 is 0x49742400 in float32"


def test_a_weight_that_is_not_finite_is_refused() -> None:
    with pytest.raises(GlassloomError, match=r"The weight output\.bias is not finite"):
        rounded("output.bias", torch.tensor([1.0, float("nan")]))


def test_all_weights_of_every_architecture_are_in_the_page_and_nothing_else_is() -> None:
    for name in ARCHITECTURES:
        model = build(name, LETTERS.size)
        seen = Seen(page_as_html(model, LETTERS, told(model, LETTERS)))
        about, weights, *_ = seen.inside["script"]
        tensors = json.loads(about)["tensors"]
        assert sum(tensor["count"] for tensor in tensors) == parameter_count(model)
        halves = np.frombuffer(base64.b64decode(weights), "<f2")
        expected = torch.cat([parameter.detach().flatten() for parameter in model.parameters()])
        assert np.array_equal(halves, expected.half().numpy())


def test_half_a_million_parameters_make_a_page_below_two_megabytes() -> None:
    tokenizer = CharTokenizer("".join(map(chr, range(0x400, 0x4E0))))
    model = build(settings_of("lstm")(layers=2, width=162), tokenizer.size)
    assert 490_000 < parameter_count(model) <= 500_000
    assert len(page_as_html(model, tokenizer, told(model, tokenizer)).encode("utf-8")) < 2_000_000


def test_the_page_loads_nothing_and_runs_its_own_script_alone(seen: Seen) -> None:
    for tag, attributes in seen.tags:
        assert "src" not in attributes, tag
        assert tag not in {"link", "iframe", "base", "object", "embed", "img"}
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import", "".join(seen.inside["style"]))
    (policy,) = [a["content"] or "" for tag, a in seen.tags if tag == "meta" and a.get("http-equiv")]
    allowed = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert allowed == {
        "default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", "worker-src": "blob:",
        "script-src": digest(seen.inside["script"][-1]), "style-src": digest(seen.inside["style"][0]),
    }  # fmt: skip


def test_no_two_scripts_that_run_together_give_two_things_one_name() -> None:
    for names in (ENGINE, INTERFACE):
        found = re.findall(r"^(?:async )?(?:function\*?|class|const|let) (\w+)", joined(names), re.MULTILINE)
        assert len(found) > 20
        assert len(found) == len(set(found))
        assert "import " not in re.sub(r"//.*|/\*.*?\*/", "", joined(names), flags=re.DOTALL)
        for place, name in enumerate(names):
            needed = re.findall(r'^import .* from "\./(.*)";$', source(name), re.MULTILINE)
            assert set(needed) <= set(names[:place]), f"{name} stands before what it imports"


def test_what_the_page_says_is_what_the_run_folder_says(run: Run, seen: Seen) -> None:
    result, corpus = run.result(), run.corpus
    assert result is not None
    best = result["best"]
    for value in [best["bits_per_character"], *(line["bits_per_character"] for line in corpus["baselines"].values())]:
        assert f"{value:.3f}" in seen.text
    assert f"{corpus['sizes']['train']['characters']:,} characters" in seen.text
    assert f"{parameter_count(run.model()):,}, each in 16 bits" in seen.text
    assert f"{run.best().step} steps in" in seen.text
    assert "8 numbers to remember it by" in seen.text
    assert json.loads(seen.inside["script"][0])["prompt"] == run.samples()[-1]["prompt"]
    assert str(Path(corpus["source"]).parent) not in "".join([seen.text, *seen.inside["script"]]), "whose folder it was"


def test_the_bars_are_as_long_as_the_losses(run: Run) -> None:
    lines, measured_in, judged = losses(run, run.best(), "character")
    assert measured_in == "bits a character"
    assert judged == "on text that it has never seen"
    assert [line.value for line in lines] == sorted((line.value for line in lines), reverse=True)
    assert lines[0].share == 100
    [own] = [line for line in lines if line.is_model]
    assert own.share == pytest.approx(100 * own.value / lines[0].value)


def test_an_earlier_checkpoint_shows_the_loss_that_was_measured_on_the_way(run: Run) -> None:
    other = next(checkpoint for checkpoint in run.checkpoints() if checkpoint.step != run.best().step)
    lines, measured_in, judged = losses(run, other, "character")
    assert measured_in == "nats a character"
    assert judged == "on a part of text that it has never seen, in the middle of training"
    assert [line.value for line in lines if line.is_model] == [other.progress()["valid_nats"]]


def test_the_command_writes_into_the_run_or_where_it_is_told(run: Run, commands: Commands, tmp_path: Path) -> None:
    name = ["export", run.name, "--runs", run.path.parent]
    assert commands.done(*name).out == f"{run.path / 'page.html'}\n"
    assert load_run(run.path).page.stat().st_size < 200_000
    out = tmp_path / "mine.html"
    printed = commands.done(*name, "--to", "html", "--out", out, "--step", 2, "--json").json
    assert printed == {"format": "html", "file": str(out), "bytes": out.stat().st_size}
    assert "2 steps in" in Seen(out.read_text(encoding="utf-8")).text


def test_what_cannot_be_written_is_refused_in_a_sentence(run: Run, commands: Commands, tmp_path: Path) -> None:
    name = ["export", run.name, "--runs", run.path.parent]
    refusal = commands.refused(*name, "--to", "htm")
    assert refusal == f"There is no format htm. Expected: one of {', '.join(FORMATS)}; did you mean html?"
    assert "choose another with --out" in commands.refused(*name, "--out", tmp_path)
    assert "There is no run nobody" in commands.refused("export", "nobody", "--runs", tmp_path)
    assert "no checkpoint of step 3" in commands.refused(*name, "--step", 3)
    with pytest.raises(SettingError):
        glassloom.export(run, to="paper")
    with pytest.raises(RunError):
        glassloom.export("nobody")
    assert list(FORMATS) == ["html", "huggingface", "onnx", "gguf"]


def test_a_model_that_is_too_large_to_be_mailed_is_written_and_said_so(
    commands: Commands, tiny_text: str, tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    large = ["800" if before == "--width" else word for before, word in pairwise(["", *TINY])]
    named = ["--model", "rnn", "--name", "large", "--runs", tmp_path]
    commands.done("train", tmp_path / "text.txt", *large, *named)
    [notice] = commands.done("export", "large", "--runs", tmp_path).notices
    megabytes = (tmp_path / "large" / "page.html").stat().st_size / 1e6
    assert f"The page takes {megabytes:.1f} MB, for the model has" in notice
    assert megabytes > 2


def test_a_language_of_sequences_says_what_it_is(tmp_path: Path) -> None:
    corpus = glassloom.load_corpus("brackets", DataSettings(samples=60))
    settings = {"width": 8, "layers": 1, "steps": 3, "batch_size": 4, "sample_length": 4, "threads": 1}
    run = glassloom.train(corpus, model="lstm", runs=tmp_path, name="brackets", **settings).run
    found = told_of(run, run.best(), run.model())
    assert dict(found.facts)["The language"] == run.corpus["definition"]
    assert dict(found.facts)["Training text"].startswith("brackets: 60 sequences, ")
    assert glassloom.export(run).read_text(encoding="utf-8").count(".start") >= 1


def test_markup_in_names_and_texts_stays_text() -> None:
    model = build("gru", LETTERS.size)
    seen = Seen(
        page_as_html(model, LETTERS, told(model, LETTERS, title=MARKUP, prompt=MARKUP, facts=((MARKUP, MARKUP),)))
    )
    plain = Seen(page_as_html(model, LETTERS, told(model, LETTERS, title="a", prompt="a", facts=(("a", "a"),))))
    assert [tag for tag, _ in seen.tags] == [tag for tag, _ in plain.tags]
    assert seen.text.count(MARKUP) == 4
    assert json.loads(seen.inside["script"][0])["prompt"] == MARKUP


def test_nothing_is_said_of_a_loss_that_nobody_measured(run: Run) -> None:
    model = run.model()
    page = Seen(page_as_html(model, run.tokenizer, told(model, run.tokenizer)))
    assert "Its loss on held-out text was not measured." in page.text


def test_an_interrupted_run_is_exported_as_far_as_it_came(run: Run, tmp_path: Path) -> None:
    copy = Run(Path(shutil.copytree(run.path, tmp_path / "copy")))
    (copy.path / "result.json").unlink()
    lines, measured_in, _ = losses(copy, copy.best(), "character")
    assert measured_in == "nats a character"
    assert [line.value for line in lines if line.is_model] == [copy.best().progress()["valid_nats"]]
    assert glassloom.export(copy) == copy.path / "page.html"
    deep = tmp_path / "not" / "yet" / "there.html"
    assert glassloom.export(copy, out=deep) == deep
    assert deep.read_bytes() == copy.page.read_bytes()
