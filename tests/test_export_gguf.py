"""A transformer as GGUF: what the file holds, read by its own reader, is the model; what does not fit is named."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch

import glassloom
from foreign import RMS, model_of, tokens_of
from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from glassloom.data.tokenizers.bpe import byte_alphabet
from glassloom.errors import InputError, Notice
from glassloom.exchange.gguf_file import as_gguf
from glassloom.exchange.layouts import laid_out
from glassloom.models.positions import turn, turns
from trainings import small

LETTERS = CharTokenizer(" \nabcdefghij€")
NO_BIAS = {"attention_bias": False, "feedforward_bias": False}


def read(model: Any, tokenizer: Tokenizer, folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata and tensors of a model's file."""
    path = folder / "model.gguf"
    path.write_bytes(as_gguf(laid_out(model, tokenizer.specials), tokenizer, "a test"))
    reader = gguf.GGUFReader(path)
    return {name: field.contents() for name, field in reader.fields.items()}, {t.name: t.data for t in reader.tensors}


def test_the_default_is_read_back_tensor_by_tensor(tmp_path: Path) -> None:
    model = model_of("transformer", output_bias=False)
    facts, tensors = read(model, LETTERS, tmp_path)
    expected = {
        "general.architecture": "starcoder2", "general.name": "a test", "starcoder2.context_length": 24,
        "starcoder2.embedding_length": 16, "starcoder2.block_count": 2, "starcoder2.feed_forward_length": 64,
        "starcoder2.attention.head_count": 4, "starcoder2.attention.head_count_kv": 4,
        "starcoder2.attention.key_length": 4, "starcoder2.rope.dimension_count": 4, "starcoder2.vocab_size": 13,
        "starcoder2.rope.freq_base": 10000.0, "starcoder2.attention.layer_norm_epsilon": pytest.approx(1e-5),
    }  # fmt: skip
    assert {name: facts[name] for name in expected} == expected
    weights = model.state_dict()
    assert np.array_equal(tensors["token_embd.weight"], weights["embedding.weight"].numpy())
    assert np.array_equal(tensors["output.weight"], weights["output.weight"].numpy())
    for layer in range(2):
        stacked = np.concatenate([tensors[f"blk.{layer}.attn_{one}.weight"] for one in "qkv"])
        assert np.array_equal(stacked, weights[f"layers.{layer}.attention.0.query_key_value.weight"].numpy())
        ours = f"layers.{layer}."
        for theirs, name in {
            "attn_norm": "norms.0", "ffn_norm": "norms.1", "attn_output": "attention.0.output",
            "ffn_up": "feedforward.inner", "ffn_down": "feedforward.output",
        }.items():  # fmt: skip
            for kind in ("weight", "bias"):
                assert np.array_equal(tensors[f"blk.{layer}.{theirs}.{kind}"], weights[f"{ours}{name}.{kind}"].numpy())
    assert len(tensors) == 4 + 2 * 16


def test_the_output_bias_is_a_column_for_an_entry_that_is_always_one(tmp_path: Path) -> None:
    model = model_of("transformer")
    facts, tensors = read(model, LETTERS, tmp_path)
    assert facts["starcoder2.embedding_length"] == 20
    assert facts["starcoder2.attention.key_length"] == 4
    assert np.array_equal(tensors["output.weight"][:, 16], model.get_parameter("output.bias").detach().numpy())
    assert tensors["output_norm.bias"][16:].tolist() == [1, 0, 0, 0]
    assert not tensors["output_norm.weight"][16:].any()


def test_in_llama_queries_and_keys_turn_in_pairs_as_ours_turn_in_halves(tmp_path: Path) -> None:
    model = model_of("transformer", **RMS, **NO_BIAS)
    facts, tensors = read(model, LETTERS, tmp_path)
    assert facts["general.architecture"] == "llama"
    assert facts["llama.attention.layer_norm_rms_epsilon"] == pytest.approx(1e-5)
    values = torch.randn(1, 5, 16, generator=torch.Generator().manual_seed(3))
    positions = torch.arange(5)[None]
    ours, theirs = [], []
    stacked = model.state_dict()["layers.0.attention.0.query_key_value.weight"].chunk(3)
    for own, name in zip(stacked[:2], ("attn_q", "attn_k"), strict=True):
        ours.append(turn((values @ own.t()).unflatten(-1, (4, 4)).transpose(1, 2), turns(positions, 4, values)))
        paired = (values @ torch.from_numpy(tensors[f"blk.0.{name}.weight"].copy()).t()).unflatten(-1, (4, 2, 2))
        angle = torch.exp(1j * positions[0, :, None] * 10000.0 ** (-torch.arange(2) / 2))[None, :, None]
        turned = torch.view_as_real(torch.view_as_complex(paired.contiguous()) * angle)
        theirs.append(turned.flatten(-2).transpose(1, 2))
    scores = [queries @ keys.transpose(2, 3) for queries, keys in (ours, theirs)]
    assert torch.allclose(*scores, atol=1e-4)
    content, gate = model.state_dict()["layers.1.feedforward.inner.weight"].chunk(2)
    assert np.array_equal(tensors["blk.1.ffn_up.weight"], content.numpy())
    assert np.array_equal(tensors["blk.1.ffn_gate.weight"], gate.numpy())


def test_gpt2_has_its_table_of_positions_and_matrices_the_right_way_round(tmp_path: Path) -> None:
    model = model_of("transformer", positions="learned", output_bias=False, tied=True)
    facts, tensors = read(model, LETTERS, tmp_path)
    assert facts["general.architecture"] == "gpt2"
    weights = model.state_dict()
    assert np.array_equal(tensors["position_embd.weight"], weights["positions.weight"].numpy())
    assert np.array_equal(
        tensors["blk.1.attn_qkv.weight"], weights["layers.1.attention.0.query_key_value.weight"].numpy()
    )
    assert np.array_equal(tensors["blk.1.ffn_down.weight"], weights["layers.1.feedforward.output.weight"].numpy())
    assert "output.weight" not in tensors


def test_the_vocabulary_is_in_the_file(tmp_path: Path) -> None:
    model = model_of("transformer", output_bias=False)
    facts, _ = read(model, LETTERS, tmp_path)
    assert facts["tokenizer.ggml.model"] == "llama"
    assert facts["tokenizer.ggml.tokens"] == ["\n", "▁", *"abcdefghij€"]
    assert facts["tokenizer.ggml.add_space_prefix"] is False
    pieces = sorted(byte_alphabet(), key=byte_alphabet().__getitem__)
    bpe = BpeTokenizer(258, [*pieces, "ab"], [("a", "b")], [".start", ".end"])
    facts, _ = read(model, bpe, tmp_path)
    assert facts["tokenizer.ggml.model"] == "gpt2"
    assert facts["tokenizer.ggml.tokens"][256:] == ["ab", ".start", ".end"]
    assert facts["tokenizer.ggml.merges"] == ["a b"]
    assert facts["tokenizer.ggml.eos_token_id"] == 258
    assert facts["tokenizer.ggml.token_type"][255:] == [1, 1, 3, 3]
    facts, _ = read(model, ByteTokenizer(), tmp_path)
    assert len(facts["tokenizer.ggml.tokens"]) == 256
    with pytest.warns(Notice, match="no tokenizer of the kind word"):
        facts, _ = read(model, WordTokenizer(["<unk>", "<eos>", "a"]), tmp_path)
    assert facts["tokenizer.ggml.model"] == "none"


def test_a_run_becomes_one_file_and_what_does_not_fit_is_named(trained: Path, tiny_text: str, tmp_path: Path) -> None:
    run = glassloom.train(tiny_text[:3000], name="tiny", runs=tmp_path, **small("transformer", steps=2)).run
    path = glassloom.export(run, "gguf")
    assert path == run.path / "model.gguf"
    assert len(gguf.GGUFReader(path).tensors) == 4 + 16
    with pytest.raises(InputError, match=r"in the way of its architecture starcoder2 is the architecture \w+ \(not tr"):
        glassloom.export(trained, "gguf")
    relu = glassloom.train(
        tiny_text[:3000], name="relu", runs=tmp_path, **small("transformer", steps=2, activation="relu")
    )
    with pytest.raises(InputError, match="in the way is activation relu"):
        glassloom.export(relu.run, "gguf", out=tmp_path / "none.gguf")
    assert not (tmp_path / "none.gguf").exists()
    assert tokens_of(1, 1).shape == (1, 1)
