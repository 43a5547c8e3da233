"""A model as ONNX operators: the same logits in onnxruntime, the state in and out, any batch and length."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file

import glassloom
from commands import Commands
from foreign import RMS, VOCABULARY, is_greedy, model_of, tokens_of
from glassloom.exchange.onnx_file import drawn
from glassloom.models.contract import LanguageModel
from glassloom.models.memory import Memory

RECURRENT: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {}),
    "rnn, relu, one-hot": ("rnn", {"activation": "relu", "embedding": 0}),
    "gru": ("gru", {"widths": (10, 14)}),
    "gru, two biases": ("gru", {"bias": "two", "embedding_bias": True}),
    "gru, reset after": ("gru", {"reset": "after"}),
    "gru, reset after, two biases": ("gru", {"reset": "after", "bias": "two", "embedding": 5}),
    "lstm": ("lstm", {"tied": True}),
    "lstm, first state trained": ("lstm", {"initial_state": "trainable", "bias": "two"}),
}
TRANSFORMERS: dict[str, dict[str, Any]] = {
    "the default": {},
    "as elsewhere": {"activation": "gelu_tanh", "norm_epsilon": 0.3, "rotary_base": 7.0},
    "rms, swiglu, tied": {**RMS, "tied": True, "scaled_embedding": True},
    "post-norm, two attentions": {"norm": "post", "attention_sublayers": 2, "activation": "relu2", "norm_bias": False},
    "no positions, no last norm": {"positions": "none", "final_norm": False, "activation": "relu"},
    "probabilities": {"output": "probabilities", "normalization": "rms"},
    "a context of one": {"context": 1},
}
ENDING: dict[str, dict[str, Any]] = {
    "learned": {"positions": "learned", "context": 256},
    "sinusoidal": {"positions": "sinusoidal", "context": 256},
}


class Session:
    """A graph in onnxruntime, called as the model is."""

    def __init__(self, model: LanguageModel) -> None:
        graph, start = drawn(model)
        self.bytes = graph.bytes("a test", {})
        self.session = onnxruntime.InferenceSession(self.bytes, providers=["CPUExecutionProvider"])
        self.start = {name: value.detach().numpy() for name, value in start.items()}

    def __call__(self, tokens: torch.Tensor, state: Any = None) -> tuple[torch.Tensor, dict[str, np.ndarray]]:
        if state is None:
            state = {name: np.repeat(value, len(tokens), 0) for name, value in self.start.items()}
        logits, *after = self.session.run(None, {"tokens": tokens.numpy(), **state})
        names = [output.name.removeprefix("next.") for output in self.session.get_outputs()[1:]]
        return torch.from_numpy(logits), dict(zip(names, after, strict=True))

    @property
    def operators(self) -> list[str]:
        return [node.op_type for node in onnx.load_from_string(self.bytes).graph.node]


@torch.no_grad()
def check(model: LanguageModel, longest: int = 70, count: int = 200) -> Session:
    """Logits at two lengths and batches, a text in pieces, and so many greedy tokens, are the model's own."""
    session = Session(model)
    for rows, time in ((1, 11), (3, longest)):
        tokens = tokens_of(rows, time)
        expected, _ = model(tokens)
        assert torch.allclose(session(tokens)[0], expected, atol=1e-5, rtol=0)
        first, state = session(tokens[:, :7])
        then, _ = session(tokens[:, 7:], state)
        assert torch.allclose(torch.cat([first, then], 1), expected, atol=1e-5, rtol=0)
    text = tokens_of(1, 5)
    logits, state = session(text)
    for _ in range(count):
        chosen = logits[:, -1:].argmax(-1)
        text = torch.cat([text, chosen], 1)
        logits, state = session(chosen, state)
    assert is_greedy(model, text, 5)
    return session


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_model_is_its_own_operators_in_onnx(name: str) -> None:
    architecture, given = RECURRENT[name]
    model = model_of(architecture, **given)
    session = check(model)
    assert session.operators.count(architecture.upper()) == 2, "one node a layer"
    assert not {"Loop", "Scan", "If"} & set(session.operators)
    nodes = [node for node in onnx.load_from_string(session.bytes).graph.node if node.op_type == "GRU"]
    told = [attribute.i for node in nodes for attribute in node.attribute if attribute.name == "linear_before_reset"]
    assert told == ([int(given.get("reset") == "after")] * 2 if architecture == "gru" else [])


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_of_any_setting_keeps_its_keys_and_values(name: str) -> None:
    given = TRANSFORMERS[name]
    if given.get("context") == 1:  # ours runs every token by itself then
        check(model_of("transformer", **given), longest=12, count=10)
    else:
        check(model_of("transformer", **given))


@pytest.mark.parametrize("name", ENDING)
def test_where_a_table_of_positions_ends_so_does_the_graph(name: str) -> None:
    session = check(model_of("transformer", **ENDING[name]), longest=256)
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of"):
        session(tokens_of(1, 257))


@torch.no_grad()
def test_rows_that_have_read_unlike_lengths_go_on_together() -> None:
    model = model_of("transformer", context=8)
    session, tokens = Session(model), tokens_of(2, 9)
    _, state = session(tokens[:1, :6])
    padded = {
        name: np.concatenate([value, np.full_like(value, 9.0) if name != "position" else np.array([0])])
        for name, value in state.items()
    }
    logits, _ = session(tokens[:, 6:], padded)
    assert torch.allclose(logits[:1], model(tokens[:1])[0][:, 6:], atol=1e-5, rtol=0)
    assert torch.allclose(logits[1:], model(tokens[1:, 6:])[0], atol=1e-5, rtol=0)
    kept = Memory.unpack(model(tokens)[1]).keys
    assert state["key.0"].shape == (1, 4, 6, 4)
    assert session(tokens)[1]["key.0"].shape[2] == kept == 7


def test_the_folder_opens_as_its_card_says(trained: Path, commands: Commands, tmp_path: Path) -> None:
    out = tmp_path / "model"
    commands.done("export", trained, "--to", "onnx", "--out", out)
    card = (out / "README.md").read_text(encoding="utf-8")
    code = card.split("```python\n")[1].split("```")[0].replace("To be", "Beautiful")
    for name in ("model.onnx", "tokenizer.json", "state.safetensors"):
        code = code.replace(name, str(out / name))
    shown: list[str] = []
    exec(compile(code, "card", "exec"), {"print": shown.append})
    run = glassloom.load_run(trained)
    assert shown == [glassloom.generate(run, "Beautiful", length=100, greedy=True)[0].text.removeprefix("Beautiful")]
    model = onnx.load(out / "model.onnx")
    told = {entry.key: entry.value for entry in model.metadata_props}
    assert told["architecture"] == run.config.architecture
    assert json.loads(told["settings"]) == run.config.model.model_dump(mode="json")
    assert model.opset_import[0].version == 18
    assert load_file(out / "state.safetensors")["hidden.0"].shape == (1, 8)


def test_what_is_too_large_or_unknown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of("gru")
    monkeypatch.setattr("glassloom.exchange.onnx_file.MOST_PARAMETERS", 100)
    with pytest.raises(glassloom.errors.InputError, match="too many for one file of ONNX"):
        drawn(model)
    assert model.vocabulary == VOCABULARY
