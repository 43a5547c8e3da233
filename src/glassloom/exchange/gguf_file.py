"""A transformer that fits as one GGUF file, as llama.cpp reads it: metadata, vocabulary, tensors in float32.

The tensors are those of the layout that the settings fit (`glassloom.exchange.layouts`) under GGUF's names. For Llama
the rows of queries and keys go from halves (planes i and i + head/2) to pairs (2i and 2i + 1), which turn there.
llama.cpp itself has no window that goes along in these architectures: beyond the context its texts are its own. Its
GELU is the one with a tanh (activation gelu_tanh); the exact one differs from it by less than 0.0005.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Tokenizer
from glassloom.data.tokenizers.bpe import byte_alphabet
from glassloom.errors import InputError, notice
from glassloom.exchange.fitting import LAYOUTS, fitting_layout, nearest_layout
from glassloom.exchange.layouts import Laid, laid_out
from glassloom.exchange.packages import package
from glassloom.models.transformer import Transformer
from glassloom.runs import Checkpoint, Run, replace_file

FILE = "model.gguf"
SPACE = "\u2581"
"""What stands for a space in a vocabulary of characters."""
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
}  # fmt: skip
BLOCK_NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "ln_1": "attn_norm", "ln_2": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip


def write(run: Run, checkpoint: Checkpoint, out: str | Path | None = None) -> Path:
    """Write the file of a checkpoint; `model.gguf` in the run's folder where none is named.

    Raises:
        InputError: the package gguf is missing, or the model fits no architecture of GGUF (which setting, is said).
        StorageError: the file cannot be written.
    """
    model = run.model(checkpoint)
    layout = fitting_layout(model.settings)
    if layout is None or not isinstance(model, Transformer):
        nearest, found = nearest_layout(model.settings)
        raise InputError(
            f"The model does not fit GGUF: in the way of its architecture {LAYOUTS[nearest].gguf} is {found[0]}",
            "a transformer whose settings fit (docs/formats.md)",
            "export it with --to huggingface or --to onnx",
        )
    if LAYOUTS[layout].needs["activation"] != ("swiglu",) and not model.settings.activation.startswith("gelu"):
        raise InputError(
            f"The model does not fit GGUF: in the way is activation {model.settings.activation}",
            "activation gelu or gelu_tanh there, or swiglu with RMS norm",
            "export it with --to huggingface or --to onnx",
        )
    path = run.path / FILE if out is None else Path(out)
    replace_file(path, as_gguf(laid_out(model, run.tokenizer.specials), run.tokenizer, run.name), elsewhere="--out")
    return path


def as_gguf(laid: Laid, tokenizer: Tokenizer, name: str) -> bytes:
    """The file's content."""
    gguf = package("gguf", "GGUF")
    config, kind = laid.config, LAYOUTS[laid.layout].gguf
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        writer = gguf.GGUFWriter(path, kind)
        writer.add_name(name)
        writer.add_file_type(gguf.LlamaFileType.ALL_F32)
        for key, value in numbers(config).items():
            getattr(writer, f"add_{key}")(value)
        add_vocabulary(writer, tokenizer, gguf)
        for tensor, value in renamed(laid).items():
            writer.add_tensor(tensor, np.ascontiguousarray(value.numpy()))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def numbers(config: dict[str, Any]) -> dict[str, Any]:
    """The sizes that an architecture has, by the names of the writer's functions."""
    old = config["model_type"] == "gpt2"
    heads, width = config["n_head" if old else "num_attention_heads"], config["n_embd" if old else "hidden_size"]
    window = config.get("sliding_window") or config.get("n_positions") or config["max_position_embeddings"]
    found = {
        "vocab_size": config["vocab_size"],
        "context_length": window,
        "embedding_length": width,
        "block_count": config["n_layer" if old else "num_hidden_layers"],
        "feed_forward_length": config["n_inner" if old else "intermediate_size"],
        "head_count": heads,
    }
    if not old:
        head = config["head_dim"]
        found |= {"head_count_kv": heads, "key_length": head, "value_length": head}
        found |= {"rope_dimension_count": head, "rope_freq_base": config["rope_theta"]}
    if "rms_norm_eps" in config:
        return found | {"layer_norm_rms_eps": config["rms_norm_eps"]}
    return found | {"layer_norm_eps": config["layer_norm_epsilon" if old else "norm_epsilon"]}


def renamed(laid: Laid) -> dict[str, Tensor]:
    """The tensors under GGUF's names; matrices `outputs inputs` in all of them."""
    found = {}
    heads = int(laid.config.get("num_attention_heads", 1))
    for name, tensor in laid.tensors.items():
        part, _, kind = name.rpartition(".")
        if part in NAMES:
            found[f"{NAMES[part]}.{kind}"] = tensor
            continue
        _, _, index, rest = part.split(".", 3)
        if laid.layout == "gpt2" and tensor.ndim == 2:
            tensor = tensor.t()
        if LAYOUTS[laid.layout].gguf == "llama" and rest.endswith(("q_proj", "k_proj")):
            tensor = paired(tensor, heads)
        found[f"blk.{index}.{BLOCK_NAMES[rest]}.{kind}"] = tensor
    return found


def paired(weight: Tensor, heads: int) -> Tensor:
    """Rows of each head from halves to pairs: row i of the first half, row i of the second, and so on."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).reshape(weight.shape)


def add_vocabulary(writer: Any, tokenizer: Tokenizer, gguf: Any) -> None:
    """The tokens as llama.cpp spells them; special ids are control tokens."""
    kinds, marks = gguf.TokenType, list(tokenizer.specials)
    if isinstance(tokenizer, CharTokenizer):
        model, pieces, merges = "llama", [SPACE if sign == " " else sign for sign in tokenizer.symbols], None
    elif isinstance(tokenizer, BpeTokenizer):
        model, pieces, merges = "gpt2", tokenizer.pieces, [" ".join(merge) for merge in tokenizer.merges]
    elif isinstance(tokenizer, ByteTokenizer):
        model, merges = "gpt2", []
        pieces = [piece for piece, _ in sorted(byte_alphabet().items(), key=lambda one: one[1])]
    else:
        notice(f"GGUF has no tokenizer of the kind {tokenizer.kind}: the file holds none, and takes token ids.")
        writer.add_tokenizer_model("none")
        return
    writer.add_tokenizer_model(model)
    writer.add_token_list([*pieces, *marks])
    writer.add_token_types([kinds.NORMAL] * len(pieces) + [kinds.CONTROL] * len(marks))
    if model == "llama":
        writer.add_token_scores([0.0] * tokenizer.size)
    else:
        writer.add_tokenizer_pre("gpt-2")
        if merges:
            writer.add_token_merges(merges)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    for mark, key in ((".start", "bos"), (".end", "eos"), (".pad", "pad")):
        if mark in tokenizer.specials:
            getattr(writer, f"add_{key}_token_id")(tokenizer.specials[mark])
