"""A model in the hands of the transformers library: the same logits, the same greedy text, nothing executed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import glassloom
from commands import Commands
from foreign import RMS, is_greedy, model_of, their_warnings, tokens_of, written
from glassloom.errors import Notice
from glassloom.exchange.fitting import LAYOUTS, fitting_layout, nearest_layout
from glassloom.exchange.layouts import explicit_weights
from glassloom.exchange.widening import narrowed, widened
from glassloom.models.settings import TransformerSettings
from trainings import small

NO_BIAS = {"attention_bias": False, "feedforward_bias": False}
FITTING: dict[str, tuple[str, dict[str, Any]]] = {
    "the default": ("starcoder2", {}),
    "tied, no output bias": ("starcoder2", {"tied": True, "output_bias": False, "activation": "relu"}),
    "tied, output bias": ("starcoder2", {"tied": True, "norm_bias": False, **NO_BIAS}),
    "as elsewhere": ("starcoder2", {"activation": "gelu_tanh", "norm_epsilon": 0.3, "rotary_base": 7.0}),
    "learned": ("gpt2", {"positions": "learned"}),
    "sinusoidal, scaled": ("gpt2", {"positions": "sinusoidal", "scaled_embedding": True, "tied": True}),
    "no positions": (
        "gpt2",
        {"positions": "none", "activation": "relu2", "output_bias": False, "attention_bias": False},
    ),
    "rms": ("mistral", {**RMS, **NO_BIAS}),
    "rms, tied, scaled": ("mistral", {**RMS, **NO_BIAS, "tied": True, "scaled_embedding": True}),
    "rms with biases": ("llama", {**RMS, "tied": True}),
    "rms with attention's biases": ("llama", {**RMS, "feedforward_bias": False}),
}
OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {"activation": "relu", "embedding": 0}),
    "gru": ("gru", {}),
    "gru, reset after": ("gru", {"reset": "after", "bias": "two"}),
    "lstm": ("lstm", {"widths": (12, 16), "initial_state": "trainable"}),
    "post-norm": ("transformer", {"norm": "post"}),
    "two attentions, learned": ("transformer", {"attention_sublayers": 2, "positions": "learned"}),
}


def loaded(folder: Path) -> Any:
    """What transformers opens, with nothing missing, left over or of another shape."""
    with their_warnings():
        from transformers import AutoModelForCausalLM

        model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


def continued(other: Any, prompt: torch.Tensor, count: int) -> torch.Tensor:
    """That library's own greedy text."""
    with their_warnings():
        found: torch.Tensor = other.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=count, do_sample=False, pad_token_id=0
        )
    return found


@pytest.mark.parametrize("name", FITTING)
@torch.no_grad()
def test_settings_that_fit_a_layout_load_there_with_the_same_logits_and_text(name: str, tmp_path: Path) -> None:
    layout, given = FITTING[name]
    slides = LAYOUTS[layout].slides
    model = model_of("transformer", **given, context=24 if slides else 256)
    config = written(model, tmp_path)
    other = loaded(tmp_path)
    assert config["model_type"] == layout
    assert type(other).__module__ == f"transformers.models.{layout}.modeling_{layout}"
    for time in (11, 70):
        tokens = tokens_of(2, time)
        assert torch.allclose(other(tokens).logits, model(tokens)[0], atol=1e-5, rtol=0)
    text = continued(other, tokens_of(1, 5), 200)
    assert text.shape == (1, 205)
    assert is_greedy(model, text, 5)


@pytest.mark.parametrize("name", OWN)
@torch.no_grad()
def test_every_other_model_loads_as_our_own_class_with_the_same_logits_and_text(name: str, tmp_path: Path) -> None:
    import glassloom.exchange.huggingface

    architecture, given = OWN[name]
    model = model_of(architecture, **given)
    assert written(model, tmp_path)["model_type"] == "glassloom"
    other = loaded(tmp_path)
    assert isinstance(other, glassloom.exchange.huggingface.GlassloomForCausalLM)
    for time in (11, 70):
        tokens = tokens_of(2, time)
        assert torch.allclose(other(tokens).logits, model(tokens)[0], atol=1e-6, rtol=0)
    text = continued(other, tokens_of(2, 5), 40 if architecture == "transformer" else 200)
    assert is_greedy(model, text, 5), "with the state carried from token to token"


@torch.no_grad()
def test_our_class_has_the_loss_of_its_labels_and_refuses_padding(tmp_path: Path) -> None:
    import glassloom.exchange.huggingface  # noqa: F401

    model, tokens = model_of("gru"), tokens_of(2, 9)
    written(model, tmp_path)
    other = loaded(tmp_path)
    chosen = model(tokens)[0][:, :-1].log_softmax(-1).gather(2, tokens[:, 1:, None])
    assert other(tokens, labels=tokens).loss.item() == pytest.approx(-chosen.mean().item(), rel=1e-6)
    mask = torch.ones_like(tokens)
    mask[0, 0] = 0
    with pytest.raises(ValueError, match="no padding"):
        other(tokens, attention_mask=mask)


def test_a_widened_model_is_narrowed_to_what_it_was_unless_it_was_changed() -> None:
    model = model_of("transformer")
    before = explicit_weights(model)
    wide = widened(before, model.settings)
    assert wide["embedding.weight"].shape == (13, 20)
    assert "output.bias" not in wide
    back = narrowed(wide, model.settings)
    assert back is not None
    for name in ("output.weight", "output.bias", "final_norm.weight", "layers.1.feedforward.inner.weight"):
        assert torch.allclose(back[name], before[name], atol=1e-12, rtol=0)
    centred = before["embedding.weight"] - before["embedding.weight"].mean(1, keepdim=True)
    assert torch.allclose(back["embedding.weight"], centred, atol=1e-12, rtol=0)
    wide["layers.0.norms.0.weight"][-1] = 0.1
    assert narrowed(wide, model.settings) is None


def test_the_setting_that_stands_in_the_way_is_named() -> None:
    assert fitting_layout(TransformerSettings()) == "starcoder2"
    assert nearest_layout(TransformerSettings(norm="post")) == ("starcoder2", ["norm post (not pre)"])
    layout, found = nearest_layout(TransformerSettings(**{**RMS, "output_bias": True}))
    assert (layout, found) == ("llama", ["output_bias on (not off)"])
    assert fitting_layout(TransformerSettings(attention_sublayers=2)) is None
    assert fitting_layout(TransformerSettings(output="probabilities")) is None
    assert fitting_layout(TransformerSettings(final_norm=False)) is None


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Any:
    folder = tmp_path_factory.mktemp("default")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        return glassloom.train(tiny_text[:3000], name="tiny", runs=folder, **small("transformer", steps=4)).run


def test_a_folder_loads_in_a_process_that_never_heard_of_us(run: Any, tmp_path: Path) -> None:
    folder = glassloom.export(run, "huggingface", out=tmp_path / "model")
    code = f"""
import sys, warnings
warnings.simplefilter("ignore")
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained({str(folder)!r})
tokenizer = AutoTokenizer.from_pretrained({str(folder)!r})
ids = tokenizer("Beautiful is", return_tensors="pt").input_ids
assert not [name for name in sys.modules if name.startswith("glassloom")]
print(tokenizer.decode(model.generate(ids, max_new_tokens=200, do_sample=False)[0]), end="")
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    ours = glassloom.generate(run, "Beautiful is", length=200, greedy=True)
    assert found == "Beautiful is" + ours[0].text.removeprefix("Beautiful is")


def test_the_card_tells_what_the_run_folder_knows(run: Any, tmp_path: Path) -> None:
    folder = glassloom.export(run, "huggingface", out=tmp_path / "model")
    card = (folder / "README.md").read_text(encoding="utf-8")
    result, corpus = run.result(), run.corpus
    for value in [
        result["best"]["bits_per_character"],
        *(b["bits_per_character"] for b in corpus["baselines"].values()),
    ]:
        assert f"| {value:.3f} |" in card
    assert f"{corpus['sizes']['train']['characters']:,} characters" in card
    assert corpus["sha256"] in card
    assert run.environment["command"] in card
    assert "import glassloom" not in card
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip
    assert "auto_map" not in json.loads((folder / "config.json").read_bytes())


def test_where_it_is_written_nothing_else_is_lost(run: Any, commands: Commands, tmp_path: Path) -> None:
    name = ["export", run.name, "--runs", run.path.parent, "--to", "huggingface"]
    assert commands.done(*name).out == f"{run.path / 'huggingface'}\n"
    assert commands.done(*name, "--json").json["bytes"] > 10_000, "an earlier export is replaced"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert "is there already and is no earlier export" in commands.refused(*name, "--out", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_a_model_that_fits_no_layout_says_why(trained: Path, run: Any, tmp_path: Path, tiny_text: str) -> None:
    post = glassloom.train(tiny_text[:3000], name="post", runs=tmp_path, **small("transformer", steps=2, norm="post"))
    with pytest.warns(Notice, match=r"layout starcoder2 of transformers: norm post \(not pre\)"):
        glassloom.export(post.run, "huggingface")
    folder = glassloom.export(trained, "huggingface", out=tmp_path / "gru")
    assert "import glassloom.exchange.huggingface" in (folder / "README.md").read_text(encoding="utf-8")
