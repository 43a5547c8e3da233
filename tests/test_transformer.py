"""The transformer against torch's own attention and layers, and its kept keys beyond the context."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassloom.models import build
from glassloom.models.attention import attend_explicitly, attend_fused
from glassloom.models.positions import sinusoids, turn, turns, window
from glassloom.models.transformer import Transformer, TransformerSettings

VOCABULARY = 13


def model(seed: int = 0, **changed: object) -> Transformer:
    """A small transformer in float64 with every parameter random, biases and norms too."""
    settings = TransformerSettings(
        **{"layers": 2, "width": 12, "heads": 3, "context": 20, "feedforward": 20, **changed}
    )
    generator = torch.Generator().manual_seed(seed)
    built = build(settings, VOCABULARY, generator).double()
    with torch.no_grad():
        for parameter in built.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4)
    assert isinstance(built, Transformer)
    return built


def tokens(time: int, rows: int = 3) -> Tensor:
    return torch.randint(VOCABULARY, (rows, time), generator=torch.Generator().manual_seed(time))


def torch_layer(mine: Transformer, index: int) -> nn.TransformerEncoderLayer:
    """torch's own layer; its parameters are filled by `functional_call`."""
    s = mine.settings
    return nn.TransformerEncoderLayer(
        s.width,
        s.heads,
        s.feedforward_width,
        dropout=0.0,
        activation=s.activation,
        batch_first=True,
        norm_first=s.norm == "pre",
    ).double()


def torch_transformer(mine: Transformer, x: Tensor) -> Tensor:
    """The same model from nn.TransformerEncoderLayer, with this model's parameters."""
    s, time = mine.settings, x.shape[1]
    values = F.embedding(x, mine.embedding.weight) * (math.sqrt(s.width) if s.scaled_embedding else 1)
    if s.positions == "learned":
        values = values + mine.positions.weight[:time]
    elif s.positions == "sinusoidal":
        steps, planes = torch.arange(time).double()[:, None], torch.arange(0, s.width, 2).double()
        angles = steps / 10000 ** (planes / s.width)
        values = values + torch.stack([angles.sin(), angles.cos()], -1).view(time, s.width)
    mask = nn.Transformer.generate_square_subsequent_mask(time, dtype=torch.float64)
    for index, layer in enumerate(mine.layers):
        attention = layer.attention[0]
        parameters = {
            "self_attn.in_proj_weight": attention.query_key_value.weight,
            "self_attn.in_proj_bias": attention.query_key_value.bias,
            "self_attn.out_proj.weight": attention.output.weight,
            "self_attn.out_proj.bias": attention.output.bias,
            "linear1.weight": layer.feedforward.inner.weight,
            "linear1.bias": layer.feedforward.inner.bias,
            "linear2.weight": layer.feedforward.output.weight,
            "linear2.bias": layer.feedforward.output.bias,
        }
        for number, norm in enumerate(layer.norms, start=1):
            parameters |= {f"norm{number}.weight": norm.weight, f"norm{number}.bias": norm.bias}
        call = torch.func.functional_call(torch_layer(mine, index), parameters, (values,), {"src_mask": mask})
        values = call
    if mine.final_norm is not None:
        values = F.layer_norm(values, (s.width,), mine.final_norm.weight, mine.final_norm.bias)
    return values @ mine.output_weight.T + mine.output.bias


def plain_transformer(mine: Transformer, x: Tensor) -> Tensor:
    """Row by row, head by head, query by query from the equations, for what torch's layer lacks: rotary, RMS, SwiGLU,
    two attention sublayers, a window that slides."""
    s, rows = mine.settings, []
    size = s.width // s.heads

    def norm(module, v):
        v = v if module.rms else v - v.mean(-1, keepdim=True)
        v = v / (v.square().mean(-1, keepdim=True) + s.norm_epsilon).sqrt()
        return v * module.weight + (0 if module.bias is None else module.bias)

    def rotated(v: Tensor, place: int) -> Tensor:
        planes = torch.view_as_complex(torch.stack(v.chunk(2), -1).contiguous())
        angle = place * s.rotary_base ** (-torch.arange(size // 2, dtype=torch.float64) / (size // 2))
        turned = torch.view_as_real(planes * torch.polar(torch.ones_like(angle), angle))
        return torch.cat([turned[:, 0], turned[:, 1]])

    def attention(module, v):
        q, k, c = (module.query_key_value(v)).chunk(3, -1)
        outputs = []
        for place in range(len(v)):
            reach, heads = range(max(0, place - s.context + 1), place + 1), []
            for head in range(s.heads):
                part = slice(head * size, (head + 1) * size)
                turned = rotated if s.positions == "rotary" else (lambda vector, _: vector)
                scores = torch.stack([turned(q[place, part], place) @ turned(k[j, part], j) for j in reach])
                weights = (scores / math.sqrt(size)).softmax(0)
                heads.append(sum(w * c[j, part] for w, j in zip(weights, reach, strict=True)))
            outputs.append(torch.cat(heads))
        return module.output(torch.stack(outputs))

    for row in x:
        v = mine.embedding.weight[row]
        for layer in mine.layers:
            for module, n in zip(layer.attention, layer.norms, strict=False):
                v = v + attention(module, norm(n, v))
            inner = layer.feedforward.inner(norm(layer.norms[-1], v))
            content, gate = inner.chunk(2, -1) if s.activation == "swiglu" else (inner, None)
            if s.activation == "gelu_tanh":  # Hendrycks and Gimpel 2016
                inner = inner / 2 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
            else:
                inner = content * gate * torch.sigmoid(gate) if gate is not None else inner.clamp(min=0) ** 2
            v = v + layer.feedforward.output(inner)
        rows.append(norm(mine.final_norm, v) @ mine.output_weight.T + mine.output.bias)
    return torch.stack(rows)


def assert_equal_with_gradients(mine: Transformer, x: Tensor, expected: Tensor) -> None:
    found = mine(x)[0]
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weighting = torch.randn(found.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    parameters = list(mine.parameters())
    ours = torch.autograd.grad((found * weighting).sum(), parameters)
    theirs = torch.autograd.grad((expected * weighting).sum(), parameters)
    for left, right in zip(ours, theirs, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "changed",
    [
        {"positions": "none", "activation": "gelu"},
        {"positions": "learned", "activation": "relu", "tied": True},
        {
            "positions": "sinusoidal",
            "activation": "relu",
            "norm": "post",
            "final_norm": False,
            "scaled_embedding": True,
        },
    ],
)
def test_it_equals_torchs_own_layers_in_values_and_gradients(changed: dict[str, object]) -> None:
    mine, x = model(**changed), tokens(11)
    assert_equal_with_gradients(mine, x, torch_transformer(mine, x))


@pytest.mark.parametrize(
    "changed",
    [
        {"width": 12, "heads": 3, "activation": "relu2"},
        {"normalization": "rms", "norm_bias": False, "activation": "swiglu", "attention_bias": False},
        {"attention_sublayers": 2, "positions": "none", "activation": "relu2", "feedforward_bias": False},
        {"context": 4, "activation": "swiglu"},
        {"activation": "gelu_tanh", "norm_epsilon": 0.3, "rotary_base": 7.0},
        {"normalization": "rms", "activation": "relu2", "norm_epsilon": 0.3},
        {"context": 3, "positions": "none", "activation": "relu2"},
    ],
)
def test_it_equals_the_equations_written_query_by_query(changed: dict[str, object]) -> None:
    mine, x = model(**changed), tokens(9, rows=2)
    assert_equal_with_gradients(mine, x, plain_transformer(mine, x))


@pytest.mark.parametrize("time", [1, 7])
def test_the_fused_and_the_explicit_attention_are_one_function(time: int) -> None:
    generator = torch.Generator().manual_seed(1)
    queries, keys, contents = (torch.randn(2, 3, n, 4, generator=generator, dtype=torch.float64) for n in (time, 7, 7))
    visible = torch.ones(2, 1, time, 7, dtype=torch.bool).tril(7 - time)
    visible[1, :, :, :2] = False
    visible[1, :, :, -time:] |= torch.eye(time, dtype=torch.bool)
    for mask in (None, visible):
        torch.testing.assert_close(
            attend_fused(queries, keys, contents, mask), attend_explicitly(queries, keys, contents, mask)
        )


@pytest.mark.parametrize("positions", ["rotary", "none", "learned", "sinusoidal"])
@pytest.mark.parametrize("context", [1, 2, 5, 8])
def test_any_division_into_pieces_gives_one_passes_logits_far_beyond_the_context(positions: str, context: int) -> None:
    mine, x = model(positions=positions, context=context, width=12, heads=3), tokens(29)
    whole = mine(x)[0]
    for sizes in ([1] * 29, [3, 9, 17], [10, 1, 18], [28, 1]):
        state, parts = None, []
        for piece in x.split(sizes, 1):
            logits, state = mine(piece, state)
            parts.append(logits)
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=1e-10, atol=1e-10)
        assert all(part.shape[0] == 3 for part in state)
        assert max(part.shape[2] for part in state if part.ndim == 4) <= context


@pytest.mark.parametrize("positions", ["rotary", "none", "learned", "sinusoidal"])
@pytest.mark.parametrize("context", [1, 5, 8, 40])
def test_rows_that_began_at_different_times_are_as_if_alone(positions: str, context: int) -> None:
    mine, x = model(positions=positions, context=context), tokens(23)
    state, parts, cuts = None, [], [0, 7, 15, 23]
    for start, end, fresh in zip(cuts[:3], cuts[1:], [[1, 1, 1], [0, 1, 0], [0, 0, 1]], strict=True):
        if state is not None:
            state = mine.restart(state, torch.tensor(fresh, dtype=torch.bool))
        logits, state = mine(x[:, start:end], state)
        parts.append(logits)
    alone = [
        mine(x[:1])[0],
        torch.cat([mine(x[1:2, :7])[0], mine(x[1:2, 7:])[0]], 1),
        torch.cat([mine(x[2:, :15])[0], mine(x[2:, 15:])[0]], 1),
    ]
    torch.testing.assert_close(torch.cat(parts, 1), torch.cat(alone), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("positions", ["learned", "sinusoidal"])
def test_beyond_the_context_the_window_restarts_on_its_last_half(positions: str) -> None:
    mine, x = model(positions=positions, context=8), tokens(12)
    whole = mine(x)[0]
    torch.testing.assert_close(whole[:, :8], mine(x[:, :8])[0])
    torch.testing.assert_close(whole[:, 8:], mine(x[:, 4:])[0][:, 4:])
    assert [window(place, 8) for place in (7, 8, 11, 12)] == [(0, 8), (4, 12), (4, 12), (8, 16)]


def test_a_token_beyond_the_reach_of_all_layers_changes_nothing() -> None:
    mine, x = model(context=4), tokens(12)
    other = x.clone()
    other[:, 0] = (other[:, 0] + 1) % VOCABULARY
    found = (mine(x)[0] - mine(other)[0]).abs().amax((0, 2))
    reach = 2 * (4 - 1)  # each of two layers reaches three tokens back
    assert (found[: reach + 1] > 1e-6).all()
    assert (found[reach + 1 :] < 1e-12).all()


def test_a_million_tokens_into_a_stream_rotary_positions_are_still_exact() -> None:
    generator = torch.Generator().manual_seed(2)
    vectors = torch.randn(2, 1, 1, 5, 8, generator=generator)
    far = torch.arange(5)[None] + 3_000_000
    near = torch.arange(5)[None]
    products = [
        turn(vectors[0], by) @ turn(vectors[1], by).mT for by in (turns(p, 8, like=vectors) for p in (near, far))
    ]
    torch.testing.assert_close(products[1], products[0], rtol=1e-5, atol=1e-5)


def test_sinusoids_follow_the_papers_formula() -> None:
    table = sinusoids(torch.arange(50)[None], 6, like=torch.zeros(1))[0]
    for place, entry in ((0, 0), (0, 1), (7, 2), (49, 5)):
        angle = place / 10000 ** (2 * (entry // 2) / 6)
        assert table[place, entry].item() == pytest.approx(math.cos(angle) if entry % 2 else math.sin(angle), abs=1e-6)


def test_without_memory_a_trained_step_runs_no_token_again(monkeypatch: pytest.MonkeyPatch) -> None:
    mine, seen = model(positions="learned", context=8), []
    mine.probe = lambda name, value: (seen.append(value.shape[1]) if name == "embedding" else None, value)[1]
    mine(tokens(8))
    assert seen == [8]
    mine(tokens(9))
    assert seen == [8, 8, 5]


def test_swiglu_keeps_the_parameters_of_the_usual_width() -> None:
    usual, gated = (TransformerSettings(activation=name, width=96) for name in ("gelu", "swiglu"))
    assert usual.feedforward_width == 384
    assert gated.feedforward_width == 256
    assert TransformerSettings(activation="swiglu", feedforward=10).feedforward_width == 10


def test_a_residual_stream_starts_with_smaller_steps_the_deeper_the_model() -> None:
    deep = build(TransformerSettings(layers=8, width=64), VOCABULARY, torch.Generator().manual_seed(0))
    inner = deep.get_parameter("layers.0.attention.0.query_key_value.weight").std().item()
    last = deep.get_parameter("layers.0.attention.0.output.weight").std().item()
    assert inner == pytest.approx(0.02, rel=0.05)
    assert last == pytest.approx(0.02 / 4, rel=0.05)
