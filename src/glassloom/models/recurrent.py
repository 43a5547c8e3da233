"""What the three recurrent architectures share: tokens, a stack of layers, logits.

    x_t = E[token_t]                         (with embedding 0 the layer's input weight is looked up: one-hot inputs)
    h_t^1 = cell(x_t, h_{t-1}^1)
    h_t^l = cell(dropout h_t^{l-1}, h_{t-1}^l)
    logits_t = V dropout(h_t^L) + c

Dropout lies on the embedding, between layers and before the output (Zaremba et al. 2014). From h to h there is none but
where it is asked for, and then on the recurrent weight U, once for all steps, so that every kernel runs as it is:

    dropout_recurrent   U * M             M: a mask of U's shape (DropConnect; Merity et al. 2018, section 2)
    dropout_state       U diag(m)         U (m * h): the same entries of h at every step (Gal and Ghahramani 2016), here
                                          one m for all rows and gates

The cell's equations stand in `glassloom.kernels`; a model's own file names its gates.
"""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from glassloom.kernels import See
from glassloom.kernels.native import Cell
from glassloom.kernels.output import weighted_nats
from glassloom.kernels.plan import Map, Plan, RecurrentLayerPlan, Row
from glassloom.models.contract import LanguageModel, State
from glassloom.models.layers import Embedding, Linear, drop, drop_words, look_up
from glassloom.models.plans import recurrent_plan, recurrent_rows, recurrent_state
from glassloom.models.settings import RecurrentSettings
from glassloom.shapes import Hidden, Logits, TokenNats, Tokens


class RecurrentLayer(nn.Module):
    """The parameters of one layer. A cell says how many gates and states it has, and how it runs."""

    gates: ClassVar[int]
    states: ClassVar[tuple[str, ...]] = ("hidden",)

    def __init__(self, inputs: int, width: int, settings: RecurrentSettings) -> None:
        super().__init__()
        self.settings, self.width = settings, width
        self.input_weight = nn.Parameter(torch.zeros(self.gates * width, inputs))
        self.recurrent_weight = nn.Parameter(torch.zeros(self.gates * width, width))
        self.bias = nn.Parameter(torch.zeros(self.gates * width))
        self.recurrent_bias = nn.Parameter(torch.zeros(self.gates * width)) if settings.bias == "two" else None
        for name in self.states if settings.initial_state == "trainable" else ():
            self.register_parameter(f"initial_{name}", nn.Parameter(torch.zeros(width)))

    def initial(self, name: str, batch: int) -> Tensor:
        """The named state of `batch` new rows."""
        if self.settings.initial_state == "trainable":
            trained: Tensor = getattr(self, f"initial_{name}")
            return trained.expand(batch, -1)
        return self.recurrent_weight.new_zeros(batch, self.width)

    def total_bias(self) -> Tensor:
        return self.bias if self.recurrent_bias is None else self.bias + self.recurrent_bias

    @property
    def cell(self) -> Cell:
        """Which of the cells it is."""
        raise NotImplementedError

    def plan(self) -> RecurrentLayerPlan:
        """The layer as plain arrays."""
        return RecurrentLayerPlan(self.width, Map(self.input_weight, self.total_bias()), Map(self.recurrent_weight))

    def thinned(self, generator: torch.Generator | None) -> Tensor:
        """The recurrent weight of one forward pass: in training with what dropout leaves of it, else as it is."""
        weight: Tensor = self.recurrent_weight
        if not self.training:
            return weight
        weight = drop(weight, self.settings.dropout_recurrent, generator)
        return drop(weight, self.settings.dropout_state, generator, shared=True)  # one mask for all its rows

    def run(
        self, inputs: Tensor, weight: Tensor | None, recurrent: Tensor, state: State, see: See | None
    ) -> tuple[Tensor, ...]:
        """`time batch inputs` and the state before -> `time batch width` and the state after; `see`: step by step.

        `weight` is that of the inputs (None: they are projected already), `recurrent` that of the state.
        """
        raise NotImplementedError


class RecurrentModel(LanguageModel):
    """A stack of recurrent layers between an embedding and an output layer."""

    Layer: ClassVar[type[RecurrentLayer]]
    settings: RecurrentSettings

    def __init__(self, settings: RecurrentSettings, vocabulary: int, generator: torch.Generator | None = None) -> None:
        super().__init__(settings, vocabulary, generator)
        widths, size = settings.layer_widths, settings.embedding_size
        self.embedding = Embedding(vocabulary, size, settings.embedding_bias) if size else None
        self.layers = nn.ModuleList(
            self.Layer(inputs, width, settings)
            for inputs, width in zip((size or vocabulary, *widths[:-1]), widths, strict=True)
        )
        self.output = Linear(widths[-1], vocabulary)
        if settings.tied:
            assert self.embedding is not None
            del self.output.weight
            self.output.register_parameter("weight", None)
        if not self.output_weight.is_meta:  # else only the shapes are asked for
            initialize(self, generator)

    @property
    def stack(self) -> list[RecurrentLayer]:
        return list(self.layers)  # type: ignore[arg-type]

    def hidden(self, tokens: Tokens, state: State | None = None) -> tuple[Hidden, State]:
        settings, generator = self.settings, self.generator
        rate = settings.rate if self.training else lambda place: 0.0
        shared = settings.dropout_mask == "sequence"
        state = self.initial_state(len(tokens)) if state is None else state
        count, after = len(self.layers), list(state)
        word_rate = settings.dropout_words if self.training else 0.0
        words = drop_words(self.vocabulary, word_rate, generator, self.output_weight)
        values = None
        if self.embedding is not None:
            values = self.see("embedding", self.embedding(tokens.t(), words).transpose(0, 1)).transpose(0, 1)
            values = drop(values, rate("embedding"), generator, shared)
        for index, layer in enumerate(self.stack):
            see = None if self.probe is None else self.step_probe(f"layers.{index}.")
            if values is None:  # one-hot inputs: the product is a look-up
                columns = look_up(tokens.t(), layer.input_weight.t(), words)
                inputs, weight = self.see("embedding", columns.transpose(0, 1)).transpose(0, 1), None
            else:
                inputs, weight = values, layer.input_weight
            recurrent = layer.thinned(generator)
            values, *after[index::count] = layer.run(inputs, weight, recurrent, state[index::count], see)
            values = drop(values, rate("layers" if index + 1 < count else "output"), generator, shared)
        assert values is not None
        return self.see("output.hidden", values.transpose(0, 1)), tuple(after)

    def step_probe(self, prefix: str) -> Callable[[str, Tensor], Tensor]:
        """The probe as a kernel's replay calls it: one step, `batch width`, is a piece `batch time width` of time 1."""

        def see(name: str, value: Tensor) -> Tensor:
            return self.see(prefix + name, value.unsqueeze(1)).squeeze(1)

        return see

    def logits(self, hidden: Hidden) -> Logits:
        return F.linear(hidden, self.output_weight, self.output.bias)

    def weighted_nats(self, hidden: Hidden, targets: Tokens, weights: TokenNats) -> Float[Tensor, ""]:
        by_step = [given.transpose(0, 1).flatten(0, 1) for given in (hidden, targets, weights)]  # as the layers have it
        return weighted_nats(by_step[0], self.output_weight, self.output.bias, *by_step[1:])

    @property
    def output_weight(self) -> Tensor:
        if self.settings.tied:
            assert self.embedding is not None
            return self.embedding.weight
        return self.output.weight

    def plan(self) -> Plan | None:
        return recurrent_plan(self)

    def rows_of(self, state: State) -> list[Row]:
        return recurrent_rows(state, len(self.layers))

    def state_of(self, rows: list[Row]) -> State:
        return recurrent_state(rows)

    def initial_state(self, batch: int) -> State:
        return tuple(layer.initial(name, batch) for name in self.Layer.states for layer in self.stack)

    def gate_counts(self) -> dict[str, int]:
        counts = {}
        for index in range(len(self.layers)):
            if index or self.embedding is not None:  # a one-hot layer's input weight is a table
                counts[f"layers.{index}.input_weight"] = self.Layer.gates
            counts[f"layers.{index}.recurrent_weight"] = self.Layer.gates
        return counts


@torch.no_grad()
def initialize(model: RecurrentModel, generator: torch.Generator | None) -> None:
    """Fill the parameters; biases are zero where nothing else is said.

    orthogonal  recurrent: each gate orthogonal (Saxe et al. 2014); input: Xavier-uniform for each gate; tables N(0, 1);
                output U(-1/sqrt(width), 1/sqrt(width))
    uniform     tables and output U(-0.1, 0.1); recurrent layers with their biases U(-1/sqrt(width), 1/sqrt(width))
    gaussian    every weight N(0, 0.01^2)
    fan-in      input N(0, 1/(2 inputs)), recurrent N(0, 1/(2 width)), output N(0, 1/width), tables N(0, 1)
    torch       as uniform for the layers; output U(-1/sqrt(width), 1/sqrt(width)) with its bias; tables N(0, 1), or
                U(-1/sqrt(vocabulary), 1/sqrt(vocabulary)) with their bias where they have one
    """
    scheme, last = model.settings.initialization, model.stack[-1].width

    def uniform(parameter: Tensor | None, bound: float) -> None:
        if parameter is not None:
            parameter.uniform_(-bound, bound, generator=generator)

    def normal(parameter: Tensor, deviation: float) -> None:
        parameter.normal_(0, deviation, generator=generator)

    for index, layer in enumerate(model.stack):
        inputs, width = layer.input_weight.shape[1], layer.width
        table = index == 0 and model.embedding is None
        if scheme == "orthogonal":
            for gate in layer.recurrent_weight.split(width):
                nn.init.orthogonal_(gate, generator=generator)
            normal(layer.input_weight, 0.5) if table else uniform(layer.input_weight, math.sqrt(6 / (inputs + width)))
        elif scheme == "gaussian":
            normal(layer.input_weight, 0.01)
            normal(layer.recurrent_weight, 0.01)
        elif scheme == "fan-in":
            normal(layer.input_weight, math.sqrt(1 / (2 * inputs)))
            normal(layer.recurrent_weight, math.sqrt(1 / (2 * width)))
        else:
            for parameter in (layer.input_weight, layer.recurrent_weight, layer.bias, layer.recurrent_bias):
                uniform(parameter, 1 / math.sqrt(width))
    deviation = {"gaussian": 0.01, "fan-in": 1 / math.sqrt(last)}.get(scheme)
    if not model.settings.tied:
        if deviation is None:
            uniform(model.output.weight, 0.1 if scheme == "uniform" else 1 / math.sqrt(last))
        else:
            normal(model.output.weight, deviation)
    if scheme == "torch":
        uniform(model.output.bias, 1 / math.sqrt(last))
    if model.embedding is not None:
        if scheme == "uniform":
            uniform(model.embedding.weight, 0.1)
        elif scheme == "gaussian":
            normal(model.embedding.weight, 0.01)
        elif scheme == "torch" and model.embedding.bias is not None:
            uniform(model.embedding.weight, 1 / math.sqrt(model.vocabulary))
            uniform(model.embedding.bias, 1 / math.sqrt(model.vocabulary))
        else:  # a tied table is the output layer too, and scaled as one
            normal(model.embedding.weight, 1 / math.sqrt(last) if model.settings.tied else 1.0)
