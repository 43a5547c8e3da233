"""The minimal gated recurrent unit (Feng et al. 2024, "Were RNNs all we needed?", equation 5).

    z_t = sigmoid(W_z x_t + b_z)        c_t = W_c x_t + b_c        h_t = (1 - z_t) h_{t-1} + z_t c_t

Neither gate nor candidate sees the hidden vector, so both are one product for all steps. Layers are stacked with a
residual connection: x^{l+1} = x^l + h^l.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from glassloom.extending import Embedding, LanguageModel, Linear, ModelSettings, State, drop


class MinGRUSettings(ModelSettings):
    """Settings of the minimal gated recurrent unit."""

    architecture: ClassVar[str] = "mingru"
    training: ClassVar[dict[str, object]] = {
        "optimizer": "adam", "lr": 4e-3, "schedule": "cosine", "clip_norm": 1.0, "batch_size": 16, "sequence_length": 64
    }  # fmt: skip

    layers: int = Field(2, ge=1, le=200, description="Layers, one above the other.")
    width: int = Field(256, ge=1, description="Entries of each layer's hidden vector.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of entries dropped after each layer.")
    gate_bias: float = Field(-1.0, description="The gates' bias at the start: below 0 they keep more than they take.")


class MinGRULayer(nn.Module):
    """One layer: the gate and the candidate of every step in one product, then the steps one by one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.both = Linear(width, 2 * width)

    def gate_and_candidate(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Both for all steps, `batch time width` each."""
        gate, candidate = self.both(inputs).chunk(2, dim=-1)
        return gate.sigmoid(), candidate


class MinGRU(LanguageModel):
    """The minimal gated recurrent unit as a language model."""

    Settings = MinGRUSettings
    settings: MinGRUSettings

    def __init__(self, settings: MinGRUSettings, vocabulary: int, generator: torch.Generator | None = None) -> None:
        super().__init__(settings, vocabulary, generator)
        self.embedding = Embedding(vocabulary, settings.width)
        self.layers = nn.ModuleList(MinGRULayer(settings.width) for _ in range(settings.layers))
        self.output = Linear(settings.width, vocabulary)
        if not self.output.weight.is_meta:  # else only the shapes are asked for
            self.initialize(generator)

    @torch.no_grad()
    def initialize(self, generator: torch.Generator | None) -> None:
        """Every weight from U(-1/sqrt(width), 1/sqrt(width)), tables from N(0, 1), gates nearly closed."""
        bound = self.settings.width**-0.5
        self.embedding.weight.normal_(generator=generator)
        for layer in self.layers:
            layer.both.weight.uniform_(-bound, bound, generator=generator)
            layer.both.bias[: self.settings.width] = self.settings.gate_bias
        self.output.weight.uniform_(-bound, bound, generator=generator)

    def hidden(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Tokens `batch time` and the layers' hidden vectors before -> `batch time width` and those after."""
        state = self.initial_state(len(tokens)) if state is None else state
        values, after = self.see("embedding", self.embedding(tokens)), []
        for index, layer in enumerate(self.layers):
            gate, candidate = layer.gate_and_candidate(values)
            steps, last = [], state[index]
            for z, c in zip(gate.unbind(1), candidate.unbind(1), strict=True):
                z, c = self.see_step(index, "gate.update", z), self.see_step(index, "candidate", c)
                last = self.see_step(index, "hidden", torch.lerp(last, c, z))
                steps.append(last)
            after.append(last)
            rate = self.settings.dropout if self.training else 0.0
            values = values + drop(torch.stack(steps, 1), rate, self.generator)
        return self.see("output.hidden", values), tuple(after)

    def see_step(self, layer: int, name: str, value: Tensor) -> Tensor:
        """An inner value of one step, `batch width`: shown as a piece whose time axis has length 1."""
        return self.see(f"layers.{layer}.{name}", value.unsqueeze(1)).squeeze(1)

    def logits(self, hidden: Tensor) -> Tensor:
        return F.linear(hidden, self.output.weight, self.output.bias)

    def initial_state(self, batch: int) -> State:
        return tuple(self.output.weight.new_zeros(batch, self.settings.width) for _ in self.layers)

    @property
    def output_weight(self) -> Tensor:
        return self.output.weight

    def gate_counts(self) -> dict[str, int]:
        return {f"layers.{index}.both.weight": 2 for index in range(len(self.layers))}
