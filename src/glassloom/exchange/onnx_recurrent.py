"""A recurrent model as ONNX's own operators: RNN, GRU and LSTM, one node a layer, whatever the length of the text.

ONNX stacks its gates in another order, and means another thing by one of them:

    GRU    update, reset, candidate; h' = (1 - z) n + z h, so the z of the paper's form, which takes the candidate,
           is one minus theirs: sigma(-a) = 1 - sigma(a), and its weights and bias change sign.
           linear_before_reset 0: the reset gate before the recurrent product (Cho); 1: after it (cuDNN)
    LSTM   input, output, forget, candidate
"""

import torch
from torch import Tensor

from glassloom.exchange.onnx_graph import Graph
from glassloom.models.gru import GRULayer
from glassloom.models.recurrent import RecurrentLayer, RecurrentModel
from glassloom.models.rnn import RNNLayer

ORDER = {"rnn": (0,), "gru": (1, 0, 2), "lstm": (0, 3, 1, 2)}
"""Which of our gates stands in each place of ONNX's."""
ROOM = ("batch", "time")


@torch.no_grad()
def recurrent_graph(model: RecurrentModel) -> tuple[Graph, dict[str, Tensor]]:
    """The graph, and the state that a new text begins with, by the names of the graph's inputs."""
    graph, kind = Graph(), model.settings.architecture
    names = [f"{state}.{index}" for state in model.Layer.states for index in range(len(model.stack))]
    start = dict(zip(names, (part.contiguous() for part in model.initial_state(1)), strict=True))
    tokens = graph("Transpose", graph.given("tokens", torch.int64, ROOM), perm=[1, 0])
    given = {name: graph.given(name, torch.float32, ("batch", part.shape[1])) for name, part in start.items()}
    if model.embedding is None:
        depth, ends = graph.whole(model.vocabulary), graph.constant(torch.tensor([0.0, 1.0]))
        values = graph("OneHot", tokens, depth, ends)
    else:
        values = graph("Gather", graph.constant(model.embedding.weight, "embedding.weight"), tokens)
        if model.embedding.bias is not None:
            values = graph("Add", values, graph.constant(model.embedding.bias, "embedding.bias"))
    first, one = graph.whole(0), graph.whole(1)
    after: dict[str, str] = {}
    for index, layer in enumerate(model.stack):
        own = [f"{state}.{index}" for state in model.Layer.states]
        states = [graph("Unsqueeze", given[name], first) for name in own]
        weights = (graph.constant(part[None], f"layers.{index}.{name}") for name, part in weights_of(layer, kind))
        results = [f"layers.{index}.{name}" for name in ("values", *model.Layer.states)]
        graph.node(kind.upper(), [values, *weights, "", *states], results, **attributes_of(layer))
        values = graph("Squeeze", results[0], one)
        after |= {name: graph("Squeeze", result, first) for name, result in zip(own, results[1:], strict=True)}
    hidden = graph("Transpose", values, perm=[1, 0, 2])
    logits = graph.linear(hidden, model.output_weight, model.output.bias, "output")
    graph.result(logits, "logits", torch.float32, (*ROOM, model.vocabulary))
    for name in names:
        graph.result(after[name], f"next.{name}", torch.float32, ("batch", start[name].shape[1]))
    return graph, start


def weights_of(layer: RecurrentLayer, kind: str) -> list[tuple[str, Tensor]]:
    """W, R and B of a layer as ONNX has them: `gates inputs`, `gates width`, both biases in one vector."""
    if isinstance(layer, GRULayer) and layer.settings.reset == "after":
        bias, candidate = layer.biases()
        recurrent_bias = torch.cat([torch.zeros_like(bias[: 2 * layer.width]), candidate])
    else:
        bias = layer.total_bias()
        recurrent_bias = torch.zeros_like(bias)
    takes = isinstance(layer, GRULayer) and layer.settings.reset == "before"

    def ordered(stacked: Tensor) -> Tensor:
        gates = list(stacked.split(layer.width))
        if takes:
            gates[1] = -gates[1]
        return torch.cat([gates[place] for place in ORDER[kind]])

    both = torch.cat([ordered(bias), ordered(recurrent_bias)])
    return [("W", ordered(layer.input_weight)), ("R", ordered(layer.recurrent_weight)), ("B", both)]


def attributes_of(layer: RecurrentLayer) -> dict[str, object]:
    """What the operator is told beside its weights."""
    found: dict[str, object] = {"hidden_size": layer.width}
    if isinstance(layer, GRULayer):
        found["linear_before_reset"] = int(layer.settings.reset == "after")
    if isinstance(layer, RNNLayer):
        found["activations"] = [layer.settings.activation.capitalize()]
    return found
