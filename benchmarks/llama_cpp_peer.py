"""llama.cpp as a peer: our transformer's own weights, written by our GGUF export and run by its compiled loop.

The package `llama-cpp-python` compiles it for the machine at hand (`pip install llama-cpp-python`). A token here is
what a token is to its users: one pass over the graph, and a draw by its own sampler; its two calls from Python take
some microseconds of that, which `inside` leaves out: its own clock around the pass alone.
"""

import ctypes
import tempfile
from pathlib import Path

import llama_cpp
import numpy as np
import torch

from glassloom.data.tokenizers import Tokenizer
from glassloom.exchange.gguf_file import as_gguf
from glassloom.exchange.layouts import laid_out
from glassloom.models.transformer import Transformer


@llama_cpp.llama_log_callback
def silent(level: int, text: bytes, user_data: ctypes.c_void_p) -> None:
    """It says much when it loads a model."""


class LlamaCpp:
    """A model of ours in llama.cpp, on so many threads."""

    def __init__(self, model: Transformer, tokenizer: Tokenizer, context: int, threads: int) -> None:
        self.threads = threads
        llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            path.write_bytes(as_gguf(laid_out(model, tokenizer.specials), tokenizer, "peer"))
            self._model = llama_cpp.llama_model_load_from_file(
                str(path).encode(), llama_cpp.llama_model_default_params()
            )
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = settings.n_batch = context
        settings.n_threads = settings.n_threads_batch = threads
        settings.no_perf = False
        self._context = llama_cpp.llama_init_from_model(self._model, settings)
        self._chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        llama_cpp.llama_sampler_chain_add(self._chain, llama_cpp.llama_sampler_init_dist(0))
        self._token = (llama_cpp.llama_token * 1)(0)

    def write(self, length: int) -> list[int]:
        """So many tokens after token 0, drawn from its probabilities."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        self._token[0], ids = 0, []
        for _ in range(length):
            llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(self._token, 1))
            self._token[0] = llama_cpp.llama_sampler_sample(self._chain, self._context, -1)
            ids.append(self._token[0])
        return ids

    def inside(self, length: int) -> float:
        """Seconds of a token by its own clock: passes only, no draw, nothing of Python's."""
        llama_cpp.llama_perf_context_reset(self._context)
        self.write(length)
        told = llama_cpp.llama_perf_context(self._context)
        return float(told.t_eval_ms + told.t_p_eval_ms) / 1000 / length

    def error(self, model: Transformer, ids: list[int]) -> float:
        """The largest difference of its logits, after each token of a text, from those of our model."""
        with torch.inference_mode():
            ours = model(torch.tensor([ids]))[0][0].numpy()
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)
        theirs = []
        for index in ids:
            self._token[0] = index
            llama_cpp.llama_decode(self._context, llama_cpp.llama_batch_get_one(self._token, 1))
            found = llama_cpp.llama_get_logits_ith(self._context, -1)
            theirs.append(np.ctypeslib.as_array(found, shape=(ours.shape[1],)).copy())
        return float(np.abs(np.stack(theirs) - ours).max())
