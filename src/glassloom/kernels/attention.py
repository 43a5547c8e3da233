"""Causal self-attention of new tokens among themselves, in C++ (native/attention.cpp), from the product of all three.

    S = s turn(Q) turn(K)^T,   P = softmax of S over the keys up to the query's own place,   Y = P V

    dV = P^T dY,   dP = dY V^T,   dS = P (dP - row sum of P dP),   dQ = s dS K,   dK = dS^T (s Q), turned back

What comes in is kept as it is, float32 or bfloat16; all arithmetic is float32. The scores of a few queries at a time
are all that is held of P, forward and backward (Dao et al. 2022), so memory grows with the tokens, not their square.
`models/attention.py` has the same in plain torch, for every other case.
"""

import ctypes
import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from glassloom.kernels import native

LITTLE = 200_000
"""Below so many products (rows x heads x time x time x head width) another thread costs more than it does."""

Turn = tuple[Tensor, Tensor]
"""Cosine and sine of every place's angles, `1 1 time planes`."""


class AttentionJob(ctypes.Structure):
    """native/job.h, field by field."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("precision", "batch", "time", "heads", "width", "threads")),
        ("scale", ctypes.c_double),
        *(
            (name, ctypes.c_void_p)
            for name in ("cosines", "sines", "projected", "mixed", "sums", "keys", "from_projected")
        ),
    )


LONGEST = {"avx2": 1024, "avx512": 2**20, "avx512_bf16": 2**20}
"""Up to so many tokens these instruction sets serve. Forward and backward, 16 to 2,048 tokens, heads of 12 to 128
entries, against the better of torch's fused attention and the plain products, one thread: AVX-512 1.0 to 2.2 times as
fast in float32 and bfloat16; AVX2 1.1 to 1.8 times in float32 up to 1,024 tokens, 0.8 at 2,048. The portable build is
slower, and stays out; on Arm nothing was measured."""


def declared() -> bool:
    """Whether the library was built of the same job as the one above."""
    try:
        return native.LIBRARY is not None and (
            native.LIBRARY.functions.glassloom_attention_job_bytes() == ctypes.sizeof(AttentionJob)
        )
    except AttributeError:
        return False


SERVES = declared()


def serves(projected: Float[Tensor, "batch time three heads head"]) -> bool:
    """Whether attention on such a tensor is best run here: float32 or bfloat16 on a CPU, where there are kernels."""
    kind = projected.dtype in (torch.float32, torch.bfloat16) and projected.device.type == "cpu"
    return SERVES and kind and projected.numel() > 0 and projected.shape[1] <= LONGEST.get(str(native.chosen()), 0)


def attention(
    projected: Float[Tensor, "batch time three heads head"], by: Turn | None
) -> tuple[Float[Tensor, "batch time width"], Float[Tensor, "batch heads time head"]]:
    """What every token takes from itself and those before it, and the keys as they were met (turned, where turned)."""
    cosines, sines = (None, None) if by is None else (part.float().contiguous() for part in by)
    mixed, keys = AttentionFunction.apply(projected, cosines, sines)  # type: ignore[no-untyped-call]
    return mixed, projected[:, :, 1].transpose(1, 2) if by is None else keys


class AttentionFunction(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(
        ctx: Any, projected: Tensor, cosines: Tensor | None, sines: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        projected = projected.contiguous()
        batch, time, _, heads, width = projected.shape
        mixed = projected.new_empty(batch, time, heads * width)
        sums = projected.new_empty(batch, heads, time, 2, dtype=torch.float32)
        keys = None if cosines is None else projected.new_empty(batch, heads, time, width)
        run(native.FORWARD, projected, cosines, sines, mixed=mixed, sums=sums, keys=keys)
        ctx.save_for_backward(projected, cosines, sines, sums)
        ctx.set_materialize_grads(False)
        return mixed, keys

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, from_mixed: Tensor | None, from_keys: Tensor | None) -> tuple[Tensor | None, ...]:
        projected, cosines, sines, sums = ctx.saved_tensors
        gradient = torch.empty_like(projected)
        if from_mixed is None:
            gradient.zero_()
        else:
            run(native.BACKWARD, projected, cosines, sines, mixed=from_mixed.contiguous(), sums=sums,
                from_projected=gradient)  # fmt: skip
        if from_keys is not None:
            first, second = from_keys.transpose(1, 2).float().chunk(2, -1)
            cosine, sine = (part.view(1, -1, 1, first.shape[-1]) for part in (cosines, sines))
            back = torch.cat([first * cosine + second * sine, second * cosine - first * sine], -1)
            gradient[:, :, 1] += back.to(gradient.dtype)
        return gradient, None, None


def run(
    direction: int, projected: Tensor, cosines: Tensor | None, sines: Tensor | None, **arrays: Tensor | None
) -> None:
    """All rows and heads in one direction; `arrays` are contiguous, named and shaped as in native/job.h."""
    assert native.LIBRARY is not None
    batch, time, _, heads, width = projected.shape
    work = batch * heads * time * time * width
    job = AttentionJob(
        native.PRECISIONS[projected.dtype], batch, time, heads, width,
        torch.get_num_threads() if work > LITTLE else 1, 1 / math.sqrt(width),
    )  # fmt: skip
    for name, array in {"projected": projected, "cosines": cosines, "sines": sines, **arrays}.items():
        setattr(job, name, None if array is None else array.data_ptr())
    native.LIBRARY.functions.glassloom_attend(native.LIBRARY.sets[str(native.chosen())], ctypes.byref(job), direction)
