"""A whole sequence by the kernels of where it lies: C++ on a CPU, Triton on CUDA; plain torch where neither serves."""

import torch
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.cuda import choosing


def serves(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a sequence of this tensor's kind, with products in `dtype`, is run here."""
    asked_for = choosing.forced() is not None
    return choosing.triton_serves(tensor, dtype) or (not asked_for and native.serves(tensor, dtype))


def run(cell: native.Cell, weight: Tensor, dtype: torch.dtype, direction: int, **arrays: Tensor) -> None:
    """A whole sequence in one direction; `arrays` are contiguous, named and shaped as in native/job.h."""
    if choosing.triton_serves(arrays["states"], dtype):
        from glassloom.kernels.cuda import sweeps  # imports Triton

        sweeps.run(cell, weight, dtype, direction, **arrays)
    else:
        native.run(cell, weight, dtype, direction, **arrays)
