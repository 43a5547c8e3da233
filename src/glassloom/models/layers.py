"""The small parts that all architectures share: a linear map, a table, a norm, and dropout from a given generator.

Parameters are allocated here and filled by the architecture's initialization, so that building a model draws from its
own generator only.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from glassloom.kernels.dropout import dropout


class Linear(nn.Module):
    """x W^T + b, the weight of shape `outputs inputs`."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, values: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        return F.linear(values, self.weight, self.bias)


class Embedding(nn.Module):
    """One vector for each token, and a bias where asked for (a linear map of one-hot vectors)."""

    def __init__(self, vocabulary: int, width: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(vocabulary, width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(
        self, tokens: Int[Tensor, "*batch"], words: Float[Tensor, "vocab 1"] | None = None
    ) -> Float[Tensor, "*batch width"]:
        """Look the tokens up; `words` is what each token's vector is multiplied by, see `drop_words`."""
        values = look_up(tokens, self.weight, words)
        return values if self.bias is None else values + self.bias


def look_up(
    tokens: Int[Tensor, "*batch"], table: Float[Tensor, "vocab width"], words: Float[Tensor, "vocab 1"] | None
) -> Float[Tensor, "*batch width"]:
    """Each token's row of a table, multiplied by what `words` has for it."""
    values = F.embedding(tokens, table)
    return values if words is None else values * F.embedding(tokens, words)


class Norm(nn.Module):
    """Layer norm (Ba et al. 2016): (x - mean) / sqrt(variance + epsilon) w + b; or RMS norm (Zhang and Sennrich 2019).

    RMS norm leaves the mean where it is: x / sqrt(mean of x^2 + epsilon) w + b.
    """

    def __init__(self, width: int, rms: bool, bias: bool, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.rms, self.epsilon = rms, epsilon
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, values: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch width"]:
        if not self.rms:
            return F.layer_norm(values, self.weight.shape, self.weight, self.bias, self.epsilon)
        normal = F.rms_norm(values, self.weight.shape, self.weight, self.epsilon)
        return normal if self.bias is None else normal + self.bias


def drop(
    values: Float[Tensor, "*axes"], rate: float, generator: torch.Generator | None, shared: bool = False
) -> Float[Tensor, "*axes"]:
    """Zero each entry with probability `rate` and divide the others by 1 - rate (Srivastava et al. 2014).

    `shared`: one mask for all along the first axis; with the time axis, one for all steps (Gal and Ghahramani 2016).
    The mask comes from `generator` (torch's global one where None), so a run that resumes draws the same.
    """
    return values if rate == 0 else dropout(values, rate, generator, shared)


def drop_words(
    vocabulary: int, rate: float, generator: torch.Generator | None, like: Tensor
) -> Float[Tensor, "vocab 1"] | None:
    """What each token's vector is multiplied by: 0 with probability `rate`, else 1 / (1 - rate); None for rate 0.

    One draw a batch: a word is there everywhere or nowhere (Gal and Ghahramani 2016; Merity et al. 2018, section 4.3).
    A tied output layer keeps all its rows.
    """
    return None if rate == 0 else dropout(like.new_ones(vocabulary, 1), rate, generator)
