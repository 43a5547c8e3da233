"""The decoder of a transformer (Vaswani et al. 2017) with what has been learned about it since.

    x = E[token]  (times sqrt(width), plus positions)
    in each layer, for each sublayer (one or two of attention, one feed-forward):
        pre-norm    x = x + dropout sublayer(norm(x))      (Xiong et al. 2020)
        post-norm   x = norm(x + dropout sublayer(x))      (Vaswani et al. 2017)
    logits = V norm(x) + c

    feed-forward: W_2 f(W_1 x + b_1) + b_2 with f = relu, gelu (exact, or with a tanh), or relu^2 (So et al. 2021);
    swiglu: W_2 ((W_1 x) * silu(W_G x))  (Shazeer 2020), W_1 and W_G stacked

Attention, positions and the kept keys have their own files. A token attends to itself and to at most context - 1 before
it. With rotary or no positions that holds at any length; with learned or sinusoidal ones, whose table ends, the window
restarts on its last context/2 tokens when it is full (the only place where tokens are run again).
"""

import math
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from glassloom.kernels import See
from glassloom.kernels.output import weighted_nats
from glassloom.kernels.plan import Plan, Row
from glassloom.models.attention import Attention
from glassloom.models.contract import LanguageModel, State
from glassloom.models.layers import Embedding, Linear, Norm, drop, drop_words
from glassloom.models.memory import Memory, join, visible
from glassloom.models.plans import transformer_plan, transformer_rows, transformer_state
from glassloom.models.positions import sinusoids, turns, window
from glassloom.models.settings import TransformerSettings
from glassloom.shapes import Hidden, Logits, Rows, TokenNats, Tokens


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, at each position by itself."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        self.activation = settings.activation
        width, inner = settings.width, settings.feedforward_width
        self.inner = Linear(width, inner * (2 if self.activation == "swiglu" else 1), settings.feedforward_bias)
        self.output = Linear(inner, width, settings.feedforward_bias)

    def forward(
        self, values: Hidden, dropout: float, generator: torch.Generator | None, see: See | None
    ) -> Float[Tensor, "batch time width"]:
        inner = self.inner(values)
        if self.activation == "swiglu":
            content, gate = inner.chunk(2, -1)
            inner = content * F.silu(gate)
        elif self.activation in ("gelu", "gelu_tanh"):
            inner = F.gelu(inner, approximate="tanh" if self.activation == "gelu_tanh" else "none")
        else:
            inner = F.relu(inner)
            inner = inner.square() if self.activation == "relu2" else inner
        if see is not None:
            inner = see("feedforward.inner", inner)
        return self.output(drop(inner, dropout, generator))


class Layer(nn.Module):
    """The parameters of one layer: each sublayer has its norm, in the same order."""

    def __init__(self, settings: TransformerSettings) -> None:
        super().__init__()
        sublayers = settings.attention_sublayers
        self.attention = nn.ModuleList(
            Attention(settings.width, settings.heads, settings.attention_bias) for _ in range(sublayers)
        )
        self.feedforward = FeedForward(settings)
        self.norms = nn.ModuleList(
            Norm(settings.width, settings.normalization == "rms", settings.norm_bias, settings.norm_epsilon)
            for _ in range(sublayers + 1)
        )


class Transformer(LanguageModel):
    """The transformer as a language model.

    >>> model = Transformer(TransformerSettings(layers=2, width=8, heads=2, context=4), vocabulary=5)
    >>> logits, state = model(torch.tensor([[0, 3, 1, 4, 2, 2]]))
    >>> logits.shape, model.context
    (torch.Size([1, 6, 5]), 4)
    """

    Settings = TransformerSettings
    settings: TransformerSettings

    def __init__(
        self, settings: TransformerSettings, vocabulary: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(settings, vocabulary, generator)
        self.embedding = Embedding(vocabulary, settings.width)
        self.positions = Embedding(settings.context, settings.width) if settings.positions == "learned" else None
        self.layers = nn.ModuleList(Layer(settings) for _ in range(settings.layers))
        rms = settings.normalization == "rms"
        final = partial(Norm, settings.width, rms, settings.norm_bias, settings.norm_epsilon)
        self.final_norm = final() if settings.final_norm else None
        self.output = Linear(settings.width, vocabulary, settings.output_bias)
        if settings.tied:
            del self.output.weight
            self.output.register_parameter("weight", None)
        if not self.output_weight.is_meta:  # else only the shapes are asked for
            initialize(self, generator)

    @property
    def context(self) -> int:
        return self.settings.context

    def window_start(self, position: int) -> int:
        return window(position, self.context)[0] if self.table_ends else 0

    @property
    def stack(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]

    @property
    def table_ends(self) -> bool:
        """Whether there is no position beyond the context."""
        return self.settings.positions in ("learned", "sinusoidal")

    def hidden(self, tokens: Tokens, state: State | None = None) -> tuple[Hidden, State]:
        memory = Memory.unpack(self.initial_state(len(tokens)) if state is None else state)
        rate = self.settings.dropout_words if self.training else 0.0
        words = drop_words(self.vocabulary, rate, self.generator, self.embedding.weight)
        run = self.run_windows if self.table_ends else self.run_sliding
        hidden, memory = run(tokens, memory, words, new=state is None)
        return self.see("output.hidden", hidden), memory.pack()

    def run_sliding(self, tokens: Tokens, memory: Memory, words: Tensor | None, new: bool) -> tuple[Hidden, Memory]:
        """Rotary or no positions: the keys slide along, piece by piece of at most `context` tokens."""
        outputs = []
        for piece in tokens.split(self.context, 1):
            keys, time = memory.keys, piece.shape[1]
            steps = torch.arange(time, device=tokens.device)
            positions = steps[None] if new else memory.position[:, None] + steps
            see_all = keys == 0 or (time == 1 and bool((memory.position >= keys).all()))
            mask = None if see_all else visible(memory.position, keys, time, self.context)
            hidden, pasts = self.run(piece, memory, words, positions, mask)
            memory = Memory(memory.position + time, memory.recent, pasts).last(self.context - 1)
            outputs.append(hidden)
            new = False
        return torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0], memory

    def run_windows(self, tokens: Tokens, memory: Memory, words: Tensor | None, new: bool) -> tuple[Hidden, Memory]:
        """Learned or sinusoidal positions: window by window; rows at unlike positions group by group."""
        places = [0] * len(tokens) if new else memory.position.tolist()
        if len(set(places)) > 1:
            groups = [(memory.position == place).nonzero()[:, 0] for place in sorted(set(places))]
            parts = [self.run_windows(tokens[rows], memory.rows(rows), words, new=False) for rows in groups]
            order = torch.cat(groups).argsort()
            return torch.cat([hidden for hidden, _ in parts])[order], join([part for _, part in parts], groups)
        place, half = places[0] if places else 0, self.context // 2
        outputs: list[Tensor] = []
        while tokens.shape[1] or not outputs:
            start, end = window(place, self.context)
            piece, tokens = tokens[:, : end - place], tokens[:, end - place :]
            restarts = start > 0 and place == start + half and piece.shape[1] > 0
            known = memory.last(0 if restarts else place - start)
            run_again = memory.recent if restarts else piece[:, :0]
            first = 0 if restarts else place - start
            inputs = torch.cat([run_again, piece], 1) if restarts else piece
            positions = torch.arange(first, first + inputs.shape[1], device=piece.device)[None]
            self.repeated = run_again.shape[1]
            hidden, pasts = self.run(inputs, known, words, positions, None)
            outputs.append(hidden[:, self.repeated :])
            self.repeated = 0
            recent = torch.cat([memory.recent, piece], 1)
            place += piece.shape[1]
            memory = Memory(memory.position + piece.shape[1], recent[:, max(recent.shape[1] - half, 0) :], pasts)
        return torch.cat(outputs, 1) if len(outputs) > 1 else outputs[0], memory

    def run(
        self,
        tokens: Tokens,
        memory: Memory,
        words: Tensor | None,
        positions: Int[Tensor, "#batch time"],
        mask: Tensor | None,
    ) -> tuple[Hidden, tuple[tuple[Tensor, Tensor], ...]]:
        """All layers on at most `context` tokens, after the keys that the memory holds; `words`: see `drop_words`."""
        settings, generator, pasts = self.settings, self.generator, []
        rate = settings.rate if self.training else lambda place: 0.0
        attention_rate = settings.dropout_attention if self.training else 0.0
        values = self.embedding(tokens, words)
        if settings.scaled_embedding:
            values = values * math.sqrt(settings.width)
        by = None
        if self.positions is not None:
            values = values + self.positions(positions)
        elif settings.positions == "sinusoidal":
            values = values + sinusoids(positions, settings.width, like=values)
        elif settings.positions == "rotary":
            by = turns(positions, settings.width // settings.heads, values, settings.rotary_base)
        values = drop(self.see("embedding", values), rate("embedding"), generator)
        known = iter(memory.pasts)
        for index, layer in enumerate(self.stack):
            *attention_norms, feedforward_norm = layer.norms
            for number, (attention, norm) in enumerate(zip(layer.attention, attention_norms, strict=True)):
                past = next(known)
                see = self.prefixed(f"layers.{index}.attention.{number}.")
                inputs = norm(values) if settings.norm == "pre" else values
                taken, kept = attention(
                    inputs, past if past[0].shape[2] else None, mask, by, attention_rate, generator, see
                )
                pasts.append(kept)
                taken = self.see(f"layers.{index}.attention.{number}", taken)
                values = values + drop(taken, rate("residual"), generator)
                values = values if settings.norm == "pre" else norm(values)
            inputs = feedforward_norm(values) if settings.norm == "pre" else values
            made = layer.feedforward(inputs, rate("feedforward"), generator, self.prefixed(f"layers.{index}."))
            made = self.see(f"layers.{index}.feedforward", made)
            values = values + drop(made, rate("residual"), generator)
            values = values if settings.norm == "pre" else feedforward_norm(values)
            values = self.see(f"layers.{index}.residual", values)
        return values if self.final_norm is None else self.final_norm(values), tuple(pasts)

    def prefixed(self, prefix: str) -> See | None:
        """The probe for one part of the model; None where there is none."""
        return None if self.probe is None else lambda name, value: self.see(prefix + name, value)

    def logits(self, hidden: Hidden) -> Logits:
        logits = F.linear(hidden, self.output_weight, self.output.bias)
        return logits if self.settings.output == "logits" else logits.softmax(-1)

    def weighted_nats(self, hidden: Hidden, targets: Tokens, weights: TokenNats) -> Float[Tensor, ""]:
        if self.settings.output == "probabilities":
            return super().weighted_nats(hidden, targets, weights)
        rows = (given.flatten(0, 1) for given in (targets, weights))
        return weighted_nats(hidden.flatten(0, 1), self.output_weight, self.output.bias, *rows)

    def lens(self, hidden: Hidden) -> Logits:
        return self.logits(hidden if self.final_norm is None else self.final_norm(hidden))

    @property
    def output_weight(self) -> Tensor:
        return self.embedding.weight if self.settings.tied else self.output.weight

    def plan(self) -> Plan | None:
        return transformer_plan(self)

    def rows_of(self, state: State) -> list[Row]:
        return transformer_rows(state, self.context, self.table_ends)

    def state_of(self, rows: list[Row]) -> State:
        return transformer_state(rows)

    def initial_state(self, batch: int) -> State:
        settings, weight = self.settings, self.embedding.weight
        shape = (batch, settings.heads, 0, settings.width // settings.heads)
        nothing = torch.empty(shape, dtype=weight.dtype, device=weight.device)  # whole even where weights are shares
        counters = torch.zeros(batch, 1, dtype=torch.long, device=weight.device)
        sublayers = settings.layers * settings.attention_sublayers
        return (counters[:, 0], counters[:, :0], *(nothing,) * (2 * sublayers))

    def restart(self, state: State, fresh: Rows) -> State:
        """The rows marked in `fresh` are at position 0, so none of their kept keys counts."""
        if bool(fresh.all()):
            return self.initial_state(len(fresh))
        return (state[0].masked_fill(fresh, 0), *state[1:])

    def forward_flops(self, time: int) -> float:
        settings = self.settings
        seen = sum(min(place + 1, self.context) for place in range(time)) / time
        sublayers = settings.layers * settings.attention_sublayers
        return super().forward_flops(time) + sublayers * 4 * settings.width * seen

    def shards(self) -> list[nn.Module]:
        return [part for layer in self.stack for part in (*layer.attention, layer.feedforward)]

    def gate_counts(self) -> dict[str, int]:
        inner = 2 if self.settings.activation == "swiglu" else 1
        counts: dict[str, int] = {}
        for index in range(self.settings.layers):
            for number in range(self.settings.attention_sublayers):
                counts[f"layers.{index}.attention.{number}.query_key_value.weight"] = 3
                counts[f"layers.{index}.attention.{number}.output.weight"] = 1
            counts[f"layers.{index}.feedforward.inner.weight"] = inner
            counts[f"layers.{index}.feedforward.output.weight"] = 1
        return counts


@torch.no_grad()
def initialize(model: Transformer, generator: torch.Generator | None) -> None:
    """Fill the parameters; norms are 1 and biases 0 where nothing else is said.

    gpt2     every matrix N(0, 0.02^2), the last one of each sublayer divided by sqrt(number of sublayers), so that the
             residual stream's variance does not grow with depth (Radford et al. 2019)
    xavier   every matrix Xavier-uniform (Glorot and Bengio 2010), queries, keys and values one matrix each
    torch    every linear map U(-1/sqrt(inputs), 1/sqrt(inputs)) with its bias; tables N(0, 1), or
             N(0, 1/width) where the output is tied to them
    """
    settings, gates = model.settings, model.gate_counts()
    sublayers = settings.layers * (settings.attention_sublayers + 1)
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        table = name in ("embedding.weight", "positions.weight")
        if settings.initialization == "gpt2":
            last = name in gates and name.endswith(".output.weight")
            parameter.normal_(0, 0.02 / math.sqrt(sublayers) if last else 0.02, generator=generator)
        elif settings.initialization == "xavier":
            for part in parameter.chunk(gates.get(name, 1)):
                nn.init.xavier_uniform_(part, generator=generator)
        elif table:
            parameter.normal_(0, settings.width**-0.5 if settings.tied else 1.0, generator=generator)
        else:
            bound = 1 / math.sqrt(parameter.shape[1])
            parameter.uniform_(-bound, bound, generator=generator)
            bias = model.get_parameter(name.removesuffix("weight") + "bias") if has_bias(model, name) else None
            if bias is not None:
                bias.uniform_(-bound, bound, generator=generator)


def has_bias(model: Transformer, weight: str) -> bool:
    """Whether the linear map that a weight belongs to has a bias."""
    return model.get_submodule(weight.rpartition(".")[0]).bias is not None
