"""A transformer as ONNX operators, with its keys and values as state: every setting of it.

State: `position` (tokens that a row has read) and each attention's `key.N` and `value.N`, `batch heads past head`; the
newest stands last. A row that has read fewer tokens than there are columns sees only its own last `position` of them.

With rotary or no positions a text of any length is read, and the state keeps the last context - 1 tokens. Where a table
of positions ends (learned, sinusoidal) so does the graph: for more, a new state is begun with the last context/2
tokens, as `glassloom.models.positions.window` has it.
"""

import math

import torch
from torch import Tensor, nn

from glassloom.exchange.onnx_graph import LAST, Graph
from glassloom.models.attention import Attention
from glassloom.models.layers import Norm
from glassloom.models.positions import frequencies, sinusoids
from glassloom.models.transformer import FeedForward, Transformer

TURN = 2 * math.pi


@torch.no_grad()
def transformer_graph(model: Transformer) -> tuple[Graph, dict[str, Tensor]]:
    """The graph, and the state that a new text begins with, by the names of the graph's inputs."""
    return Drawing(model).draw()


class Drawing:
    """One transformer on its way into a graph."""

    def __init__(self, model: Transformer) -> None:
        self.model, self.settings, self.graph = model, model.settings, Graph()
        self.head = model.settings.width // model.settings.heads
        self.sublayers = model.settings.layers * model.settings.attention_sublayers

    def draw(self) -> tuple[Graph, dict[str, Tensor]]:
        """Inputs, layers, outputs."""
        graph, settings = self.graph, self.settings
        tokens = graph.given("tokens", torch.int64, ("batch", "time"))
        position = graph.given("position", torch.int64, ("batch",))
        shape = ("batch", settings.heads, "past", self.head)
        names = [f"{kind}.{index}" for index in range(self.sublayers) for kind in ("key", "value")]
        self.pasts = {name: graph.given(name, torch.float32, shape) for name in names}
        self.kept: dict[str, str] = {}
        time, past = graph.length(tokens, 1), graph.length("key.0", 2)
        steps = graph.count(graph.whole(0), time)
        rows = graph("Unsqueeze", position, graph.whole(1))
        places = graph("Add", rows, steps)
        self.visible = self.mask(position, steps, time, past)
        self.turns = self.angles(places) if settings.positions == "rotary" else None
        values = self.embedded(tokens, places)
        for index in range(settings.layers):
            values = self.layer(index, values)
        values = values if self.model.final_norm is None else self.norm(self.model.final_norm, values, "final_norm")
        logits = graph.linear(values, self.model.output_weight, self.model.output.bias, "output")
        if settings.output == "probabilities":
            logits = graph("Softmax", logits, axis=-1)
        graph.result(logits, "logits", torch.float32, ("batch", "time", self.model.vocabulary))
        graph.result(graph("Add", position, time), "next.position", torch.int64, ("batch",))
        for name in names:
            graph.result(self.kept[name], f"next.{name}", torch.float32, ("batch", settings.heads, "kept", self.head))
        start = {"position": torch.zeros(1, dtype=torch.int64)}
        return graph, start | {name: torch.zeros(1, settings.heads, 0, self.head) for name in names}

    def mask(self, position: str, steps: str, time: str, past: str) -> str:
        """What each new token sees, `batch 1 time keys`: see `glassloom.models.memory.visible`."""
        graph = self.graph
        query = graph("Unsqueeze", graph("Add", steps, past), graph.whole(1))
        key = graph.count(graph.whole(0), graph("Add", past, time))
        near = graph("And", graph("LessOrEqual", key, query),
                     graph("Greater", key, graph("Sub", query, graph.whole(self.settings.context))))  # fmt: skip
        begins = graph("Unsqueeze", graph("Sub", past, position), graph.whole(1, 2, 3))
        return graph("And", near, graph("GreaterOrEqual", key, begins))

    def angles(self, places: str) -> tuple[str, str]:
        """Cosine and sine of the rotary angles, `batch 1 time planes`; the angle in float64, less its whole turns."""
        graph = self.graph
        exact = graph("Cast", graph("Unsqueeze", places, graph.whole(1, 3)), to=self.double)
        angle = graph("Mul", exact, graph.constant(frequencies(self.head, self.settings.rotary_base)))
        whole = graph("Floor", graph("Div", angle, graph.constant(torch.tensor(TURN, dtype=torch.float64))))
        rest = graph("Sub", angle, graph("Mul", whole, graph.constant(torch.tensor(TURN, dtype=torch.float64))))
        short = graph("Cast", rest, to=graph.type_of(torch.float32))
        return graph("Cos", short), graph("Sin", short)

    @property
    def double(self) -> int:
        """ONNX's number for float64."""
        return int(self.graph.onnx.TensorProto.DOUBLE)

    def embedded(self, tokens: str, places: str) -> str:
        """The tokens' vectors, with what their places add."""
        graph, settings = self.graph, self.settings
        weight: Tensor = self.model.embedding.weight
        values = graph("Gather", graph.constant(weight, "embedding.weight"), tokens)
        if settings.scaled_embedding:
            values = graph("Mul", values, graph.constant(torch.tensor(math.sqrt(settings.width))))
        if settings.positions in ("rotary", "none"):
            return values
        learned = self.model.positions
        if learned is None:
            table = sinusoids(torch.arange(settings.context)[None], settings.width, like=weight)[0]
        else:
            table = learned.weight
        return graph("Add", values, graph("Gather", graph.constant(table, "positions.weight"), places))

    def layer(self, index: int, values: str) -> str:
        """One layer: its sublayers, each with its norm before or after."""
        layer, name = self.model.stack[index], f"layers.{index}"
        sublayers = [*layer.attention, layer.feedforward]
        before = self.settings.norm == "pre"
        for number, (sublayer, norm) in enumerate(zip(sublayers, layer.norms, strict=True)):
            called = f"{name}.norms.{number}"
            inputs = self.norm(norm, values, called) if before else values
            if isinstance(sublayer, FeedForward):
                made = self.feedforward(sublayer, inputs, f"{name}.feedforward")
            else:
                place = index * self.settings.attention_sublayers + number
                made = self.attention(sublayer, inputs, f"{name}.attention.{number}", place)
            values = self.graph("Add", values, made)
            values = values if before else self.norm(norm, values, called)
        return values

    def norm(self, norm: nn.Module, values: str, name: str) -> str:
        """Layer norm or RMS norm."""
        assert isinstance(norm, Norm)
        graph, weight = self.graph, self.graph.constant(norm.weight, f"{name}.weight")
        bias = None if norm.bias is None else graph.constant(norm.bias, f"{name}.bias")
        epsilon = norm.epsilon
        if not norm.rms:
            given = [values, weight] if bias is None else [values, weight, bias]
            return graph("LayerNormalization", *given, axis=-1, epsilon=epsilon)
        squares = graph("ReduceMean", graph("Mul", values, values), graph.whole(-1), keepdims=1)
        root = graph("Sqrt", graph("Add", squares, graph.constant(torch.tensor(epsilon))))
        normal = graph("Mul", graph("Div", values, root), weight)
        return normal if bias is None else graph("Add", normal, bias)

    def attention(self, attention: Attention, values: str, name: str, place: int) -> str:
        """Attention over the kept tokens and the new ones; what is kept of both goes out as state."""
        graph, stacked = self.graph, attention.query_key_value
        biases = (None,) * 3 if stacked.bias is None else stacked.bias.chunk(3)
        heads = graph.whole(0, 0, self.settings.heads, self.head)
        parts = []
        for kind, weight, bias in zip(("query", "key", "value"), stacked.weight.chunk(3), biases, strict=True):
            projected = graph.linear(values, weight, bias, f"{name}.{kind}")
            parts.append(graph("Transpose", graph("Reshape", projected, heads), perm=[0, 2, 1, 3]))
        queries, keys, contents = parts
        if self.turns is not None:
            queries, keys = self.turned(queries), self.turned(keys)
        keys = graph("Concat", self.pasts[f"key.{place}"], keys, axis=2)
        contents = graph("Concat", self.pasts[f"value.{place}"], contents, axis=2)
        self.kept[f"key.{place}"], self.kept[f"value.{place}"] = self.newest(keys), self.newest(contents)
        queries = graph("Mul", queries, graph.constant(torch.tensor(1 / math.sqrt(self.head))))
        scores = graph("MatMul", queries, graph("Transpose", keys, perm=[0, 1, 3, 2]))
        seen = graph("Where", self.visible, scores, graph.constant(torch.tensor(-math.inf)))
        mixed = graph("MatMul", graph("Softmax", seen, axis=-1), contents)
        joined = graph("Reshape", graph("Transpose", mixed, perm=[0, 2, 1, 3]), graph.whole(0, 0, -1))
        return graph.linear(joined, attention.output.weight, attention.output.bias, f"{name}.output")

    def turned(self, values: str) -> str:
        """Queries or keys, each plane (entries i and i + head/2) turned by its position's angle."""
        assert self.turns is not None
        graph, half, end = self.graph, self.graph.whole(self.head // 2), self.graph.whole(LAST)
        cosine, sine = self.turns
        axis = graph.whole(3)
        first, second = graph("Slice", values, graph.whole(0), half, axis), graph("Slice", values, half, end, axis)
        left = graph("Sub", graph("Mul", first, cosine), graph("Mul", second, sine))
        right = graph("Add", graph("Mul", second, cosine), graph("Mul", first, sine))
        return graph("Concat", left, right, axis=3)

    def newest(self, values: str) -> str:
        """What a state keeps: the last context - 1 tokens, all where a table of positions ends anyhow."""
        if self.model.table_ends:
            return values
        keeps = self.settings.context - 1
        start = self.graph.whole(-keeps if keeps else LAST)
        return self.graph("Slice", values, start, self.graph.whole(LAST), self.graph.whole(2))

    def feedforward(self, feedforward: FeedForward, values: str, name: str) -> str:
        """Two linear maps with an activation between them."""
        graph, inner = self.graph, feedforward.inner
        if feedforward.activation == "swiglu":
            biases = (None, None) if inner.bias is None else inner.bias.chunk(2)
            content, gate = (
                graph.linear(values, weight, bias, f"{name}.{kind}")
                for kind, weight, bias in zip(("content", "gate"), inner.weight.chunk(2), biases, strict=True)
            )
            shown = graph("Mul", content, graph("Mul", gate, graph("Sigmoid", gate)))
        else:
            shown = self.activated(
                feedforward.activation, graph.linear(values, inner.weight, inner.bias, f"{name}.inner")
            )
        return graph.linear(shown, feedforward.output.weight, feedforward.output.bias, f"{name}.output")

    def activated(self, activation: str, values: str) -> str:
        """gelu (with the error function, or the tanh that comes near it), relu or its square."""
        graph = self.graph

        def number(value: float) -> str:
            return graph.constant(torch.tensor(value))

        if activation == "gelu":
            grown = graph("Add", graph("Erf", graph("Mul", values, number(math.sqrt(0.5)))), number(1.0))
            return graph("Mul", graph("Mul", values, number(0.5)), grown)
        if activation == "gelu_tanh":
            cubed = graph("Mul", graph("Mul", values, graph("Mul", values, values)), number(0.044715))
            bent = graph("Mul", graph("Add", values, cubed), number(math.sqrt(2 / math.pi)))
            grown = graph("Add", graph("Tanh", bent), number(1.0))
            return graph("Mul", graph("Mul", values, number(0.5)), grown)
        shown = graph("Relu", values)
        return graph("Mul", shown, shown) if activation == "relu2" else shown
