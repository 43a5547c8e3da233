"""The recurrent layers by torch's own functions, which on CUDA are cuDNN's: where the equations are ours.

That is the simple layer, the LSTM and the GRU with reset after, from inputs that are not projected yet. Not the same:

* in bfloat16 cuDNN rounds the carried state to it at each step, which ours keeps in float32;
* in float32 its products are tf32 unless `torch.backends.cudnn.allow_tf32` is off, as training in float32 sets it.

On a CPU the same functions run torch's own code. So they are tested, and so a wide LSTM in float32 is run: torch has it
from oneDNN, at 85 to 95 percent of the processor's peak. Not yet run on a GPU.
"""

import torch
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.cuda.choosing import fastest, forced, triton_runs


def serves(cell: str, inputs: Tensor, width: int, dtype: torch.dtype) -> bool:
    """Whether this layer is run here: the equations agree, and nothing else was measured to be faster."""
    if inputs.numel() == 0 or dtype not in (torch.float32, torch.bfloat16):
        return False
    if forced() is not None:
        return forced() == "cudnn"
    if inputs.device.type == "cpu":
        return leads_on_cpu(cell, inputs, width, dtype)
    # the kind of device first: on a CPU, whether there is cuDNN need not be asked
    here = inputs.is_cuda and torch.backends.cudnn.is_available() and torch.backends.cudnn.enabled
    return here and (fastest(cell, dtype, inputs.shape[1], width) == "cudnn" or not triton_runs())


def leads_on_cpu(cell: str, inputs: Tensor, width: int, dtype: torch.dtype) -> bool:
    """Whether torch's own is the faster one on a CPU, where ours is compiled for AVX2 or AVX-512.

    Its LSTM in float32, from 256 units and 4,096 entries of a state on: there ours is 0.88 to 1.04 times as fast
    (35 steps, 2 to 128 rows, 128 to 768 units; freed memory kept), below that 0.97 to 1.23.
    """
    compiled = native.chosen() not in (None, "portable")
    rounded = dtype != torch.float32 or inputs.dtype != torch.float32
    return compiled and cell == "lstm" and not rounded and width >= 256 and inputs.shape[1] * width >= 4096


def flat(parts: tuple[Tensor, ...], dtype: torch.dtype) -> list[Tensor]:
    """The parts again, one behind the other in one piece of memory, where cuDNN would else copy them at each call."""
    if parts[0].device.type == "cpu":
        return [part.to(dtype) for part in parts]
    whole = torch.cat([part.reshape(-1).to(dtype) for part in parts])
    pieces = whole.split([part.numel() for part in parts])
    return [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]


def rnn(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    activation: str,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """`glassloom.kernels.rnn.rnn`; torch's second bias is zero."""
    weights = flat((input_weight, recurrent_weight, bias, torch.zeros_like(bias)), dtype)
    function = torch.rnn_tanh if activation == "tanh" else torch.rnn_relu
    training = torch.is_grad_enabled()
    outputs, final = function(
        inputs.to(dtype), initial.to(dtype)[None].contiguous(), weights, True, 1, 0.0, training, False, False
    )
    return outputs.to(inputs.dtype), final[0].to(inputs.dtype)


def gru(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    recurrent_bias: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """`glassloom.kernels.gru.gru` with reset after; of torch's second bias only the candidate's is not zero."""
    second = torch.cat([bias.new_zeros(len(bias) - len(recurrent_bias)), recurrent_bias])
    weights = flat((input_weight, recurrent_weight, bias, second), dtype)
    training = torch.is_grad_enabled()
    outputs, final = torch.gru(
        inputs.to(dtype), initial.to(dtype)[None].contiguous(), weights, True, 1, 0.0, training, False, False
    )
    return outputs.to(inputs.dtype), final[0].to(inputs.dtype)


def lstm(
    inputs: Tensor,
    input_weight: Tensor,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    initial_cell: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """`glassloom.kernels.lstm.lstm`; torch's second bias is zero."""
    weights = flat((input_weight, recurrent_weight, bias, torch.zeros_like(bias)), dtype)
    state = [part.to(dtype)[None].contiguous() for part in (initial, initial_cell)]
    training = torch.is_grad_enabled()
    outputs, hidden, cell = torch.lstm(inputs.to(dtype), state, weights, True, 1, 0.0, training, False, False)
    return outputs.to(inputs.dtype), hidden[0].to(inputs.dtype), cell[0].to(inputs.dtype)
