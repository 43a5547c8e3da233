"""One stream of tokens on a CPU against its peers, timed alternately in the same process.

    python benchmarks/decoding.py [--rounds 5] [--nanogpt DIR]

Rows: a 4-layer transformer of width 128 with 4 heads and a context of 256, with learned positions as the peers have
them and with our default, rotary ones, against nanoGPT's `generate` (its folder is given) and Hugging Face's GPT-2 with
its cache (where `transformers` is installed); 2-layer recurrent models of width 128 against a loop over torch's
built-in layers. Each text is written anew from one token, as a user would: `glassloom.generation.generate` with all it
does, once with the compiled decoder, once with NumPy. 1,000 tokens go on past the context, which GPT-2's cache cannot.
A ratio above 1 means that ours is faster.

The strongest rival is llama.cpp with the same weights, through our GGUF export, on one core or all, whichever is faster
(where `llama-cpp-python` is installed): its texts end at the context. Its row names what its own clock says of a token,
without the draw and without Python, and how far its logits are from ours (its keys and values are 16 bits wide).
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from glassloom.data.tokenizers import CharTokenizer
from glassloom.generation import DecodingSettings, generate
from glassloom.kernels import decoders, native_decoder
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from measuring import compared, in_turns, spread_in_words, write

if TYPE_CHECKING:
    from llama_cpp_peer import LlamaCpp

VOCABULARY, WIDTH, LAYERS, HEADS, CONTEXT = 65, 128, 4, 4, 256
TARGETS = {
    ("native", "nanoGPT"): 50, ("native", "GPT-2"): 30, ("native", "nn.LSTM"): 30,
    ("numpy", "nanoGPT"): 12, ("numpy", "GPT-2"): 7, ("numpy", "nn.LSTM"): 9,
}  # fmt: skip
SHORT, LONG = 255, 1000
"""Tokens: as many as a context of 256 holds behind the first one; and past it."""
TOKENIZER = CharTokenizer("".join(map(chr, range(48, 48 + VOCABULARY))))


def ours(name: str, **settings: Any) -> Callable[[int], object]:
    """Our model, as `generate` runs it: tokens to write -> the samples."""
    model = built(name, **settings)
    return lambda length: generate(model, TOKENIZER, "0", DecodingSettings(length=length))


def built(name: str, **settings: Any) -> LanguageModel:
    """A model of ours; the same weights every time."""
    return build(architecture(name).Settings(**settings), VOCABULARY, torch.Generator().manual_seed(0)).eval()


@torch.inference_mode()
def loop_over(layer: type[nn.RNNBase], length: int, models: dict[Any, Any] = {}) -> None:  # noqa: B006
    """A loop over a built-in layer, as it is written everywhere: embed, step, project, softmax, draw."""
    if layer not in models:
        models[layer] = nn.Embedding(VOCABULARY, WIDTH), layer(WIDTH, WIDTH, 2), nn.Linear(WIDTH, VOCABULARY)
    embedding, recurrent, output = models[layer]
    token, state, ids = torch.zeros(1, 1, dtype=torch.long), None, []
    for _ in range(length):
        values, state = recurrent(embedding(token), state)
        token = torch.multinomial(output(values[-1]).softmax(-1), 1)
        ids.append(token.item())


def nanogpt(folder: Path) -> Callable[[int], Tensor]:
    """nanoGPT's model of the same size, from its folder, by its own `generate`."""
    sys.path.insert(0, str(folder))
    from model import GPT, GPTConfig

    config = GPTConfig(
        block_size=CONTEXT, vocab_size=VOCABULARY, n_layer=LAYERS, n_head=HEADS, n_embd=WIDTH, dropout=0.0
    )
    model = GPT(config).eval()
    return lambda length: model.generate(torch.zeros(1, 1, dtype=torch.long), length)


def gpt2() -> Callable[[int], Tensor]:
    """Hugging Face's GPT-2 of the same size with its cache, by its own `generate`. ImportError where it is absent."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCABULARY, n_positions=CONTEXT, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    model, first = GPT2LMHeadModel(config).eval(), torch.zeros(1, 1, dtype=torch.long)
    return lambda length: model.generate(
        first, attention_mask=torch.ones_like(first), max_new_tokens=length, min_new_tokens=length,
        do_sample=True, top_k=0, use_cache=True,
    )  # fmt: skip


def llama_cpp(model: LanguageModel) -> "LlamaCpp":
    """The same weights in llama.cpp, on as many threads as are fastest. ImportError where it is not installed."""
    from llama_cpp_peer import LlamaCpp

    ways = [LlamaCpp(model, TOKENIZER, CONTEXT, threads) for threads in sorted({1, os.cpu_count() or 1})]
    return min(ways, key=lambda way: min(seconds(way.write, SHORT) for _ in range(3)))


def seconds(work: Callable[[int], object], length: int) -> float:
    """Seconds of a token, over at least a fifth of a second."""
    count, started = 0, time.perf_counter()
    while (spent := time.perf_counter() - started) < 0.2:
        work(length)
        count += length
    return spent / count


def row_of(
    model: str, way: str, peer: str, mine: Callable[[int], object], theirs: Callable[[int], object],
    length: int, rounds: int,
) -> dict[str, Any]:  # fmt: skip
    """One row of the table."""

    def forced() -> float:
        with decoders.using(way):  # type: ignore[arg-type]
            return seconds(mine, length)

    row = compared(in_turns(forced, partial(seconds, theirs, length), rounds))
    tokens = {side: 1 / statistics.median(pair[side] for pair in row["seconds"]) for side in ("ours", "theirs")}
    target = TARGETS.get((way, peer))
    names = {"model": model, "decoder": way, "peer": peer, "tokens": length}
    return {**names, **row, "tokens_per_second": tokens, "target": target, "reached": target and row["ratio"] >= target}


def peers_at_hand(folder: Path | None) -> tuple[list[tuple[str, Callable[[int], object]]], list[str]]:
    """The transformers to compare with, and what is left out and why."""
    peers: list[tuple[str, Callable[[int], object]]] = []
    left_out = [] if native_decoder.SERVES else ["native: the decoder was not compiled here"]
    if folder is None:
        left_out.append("nanoGPT: its folder was not given (--nanogpt DIR)")
    else:
        peers.append(("nanoGPT", nanogpt(folder)))
    try:
        peers.append(("GPT-2", gpt2()))
    except ImportError:
        left_out.append("GPT-2: the package transformers is not installed")
    if find_spec("llama_cpp") is None:
        left_out.append("llama.cpp: the package llama-cpp-python is not installed")
    return peers, left_out


def measure(rounds: int, peers: list[tuple[str, Callable[[int], object]]]) -> Iterator[dict[str, Any]]:
    """Every row, as it is measured."""
    ways = (["native"] if native_decoder.SERVES else []) + ["numpy"]
    for name, layer in (("lstm", nn.LSTM), ("gru", nn.GRU), ("rnn", nn.RNN)):
        mine = ours(name, layers=2, width=WIDTH)
        for way in ways:
            yield row_of(name, way, f"nn.{layer.__name__}", mine, partial(loop_over, layer), LONG, rounds)
    size = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "context": CONTEXT}
    for positions in ("learned", "rotary"):
        mine = ours("transformer", positions=positions, **size)
        for peer, theirs in peers:
            for length in (SHORT, LONG) if (positions, peer) == ("learned", "nanoGPT") else (SHORT,):
                for way in ways:
                    yield row_of(f"transformer, {positions}", way, peer, mine, theirs, length, rounds)
        if find_spec("llama_cpp") is not None:
            model = built("transformer", positions=positions, **size)
            rival = llama_cpp(model)
            told = {"inside": 1 / min(rival.inside(SHORT) for _ in range(rounds)), "threads": rival.threads,
                    "logits_error": rival.error(model, rival.write(SHORT))}  # fmt: skip
            for way in ways:
                row = row_of(f"transformer, {positions}", way, "llama.cpp", mine, rival.write, SHORT, rounds)
                yield {**row, "llama_cpp": told}


def main(rounds: int = 5, folder: Path | None = None) -> None:
    """Measure, print, write JSON."""
    peers, left_out = peers_at_hand(folder)
    rows = []
    print(f"{'model':<22} {'decoder':<8} {'peer':<9} {'tokens':>6}  {'ours/s':>8} {'theirs/s':>8}  ratio, target")
    for row in measure(rounds, peers):
        rows.append(row)
        speed = row["tokens_per_second"]
        print(
            f"{row['model']:<22} {row['decoder']:<8} {row['peer']:<9} {row['tokens']:>6}  {speed['ours']:>8.0f} "
            f"{speed['theirs']:>8.0f}  {spread_in_words(row)}, asked {row['target']}",
            flush=True,
        )
        if told := row.get("llama_cpp"):
            print(
                f"    {told['threads']} threads; {told['inside']:.0f}/s inside, logits off {told['logits_error']:.1e}"
            )
    for line in left_out:
        print(f"left out: {line}")
    command = "python benchmarks/decoding.py" + (" --nanogpt DIR" if folder else "")
    write("decoding", command, rows, threads=torch.get_num_threads(), left_out=left_out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--nanogpt", type=Path, metavar="DIR", help="a clone of nanoGPT")
    given = parser.parse_args()
    main(given.rounds, given.nanogpt)
