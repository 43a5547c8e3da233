"""Inner values: their names and axes, that looking changes nothing, and that replacing changes what follows."""

import pytest
import torch

from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import GLOSSARY, inner_value, probing, recording

ATTENTION = ("", ".weights", ".queries", ".keys", ".values", ".mixed")
TOKENS = torch.randint(9, (2, 7), generator=torch.Generator().manual_seed(0))
RECURRENT = {
    "rnn": {"hidden"},
    "gru": {"gate.reset", "gate.update", "candidate", "hidden"},
    "lstm": {"gate.input", "gate.forget", "gate.output", "candidate", "cell", "hidden"},
}


def model(name: str, **settings: object) -> LanguageModel:
    small = {"width": 12, "layers": 2, **settings}
    return build(architecture(name).Settings(**small), 9, torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_layer_shows_its_gates(name: str) -> None:
    with recording(model(name)) as values:
        pass
    assert values == {}
    seen = model(name)
    with recording(seen) as values:
        logits, state = seen(TOKENS)
    assert set(values) == {"embedding", "output.hidden"} | {f"layers.{n}.{v}" for n in (0, 1) for v in RECURRENT[name]}
    assert all(value.shape == (2, 7, 12) for value in values.values())
    torch.testing.assert_close(values["layers.1.hidden"], values["output.hidden"])
    torch.testing.assert_close(values["layers.0.hidden"][:, -1], state[0])
    torch.testing.assert_close(seen.logits(values["output.hidden"]), logits)


def test_the_gates_obey_the_equations_of_the_gru() -> None:
    for reset in ("before", "after"):
        seen = model("gru", reset=reset)
        with recording(seen) as values:
            seen(TOKENS)
        hidden, update = values["layers.0.hidden"], values["layers.0.gate.update"]
        past = torch.cat([torch.zeros_like(hidden[:, :1]), hidden[:, :-1]], 1)
        taken = update if reset == "before" else 1 - update
        torch.testing.assert_close(hidden, (1 - taken) * past + taken * values["layers.0.candidate"])


def test_the_cell_obeys_the_equations_of_the_lstm() -> None:
    seen = model("lstm")
    with recording(seen) as values:
        seen(TOKENS)
    layer = {name.removeprefix("layers.1."): value for name, value in values.items() if name.startswith("layers.1.")}
    past = torch.cat([torch.zeros_like(layer["cell"][:, :1]), layer["cell"][:, :-1]], 1)
    cell = layer["gate.forget"] * past + layer["gate.input"] * layer["candidate"]
    torch.testing.assert_close(layer["cell"], cell)
    torch.testing.assert_close(layer["hidden"], layer["gate.output"] * cell.tanh())


@pytest.mark.parametrize("positions", ["rotary", "learned"])
@pytest.mark.parametrize("sublayers", [1, 2])
def test_a_transformer_shows_attention_and_the_residual_stream(positions: str, sublayers: int) -> None:
    seen = model("transformer", heads=3, context=5, positions=positions, attention_sublayers=sublayers)
    with recording(seen) as values:
        seen(TOKENS)
    layer = {"residual", "feedforward", "feedforward.inner"}
    layer |= {f"attention.{m}{end}" for m in range(sublayers) for end in ATTENTION}
    assert set(values) == {"embedding", "output.hidden"} | {f"layers.{n}.{v}" for n in (0, 1) for v in layer}
    weights = values["layers.1.attention.0.weights"]
    assert weights.shape == (2, 3, 7, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 7, dtype=torch.float64))
    assert bool((weights.triu(1) == 0).all())
    assert bool((weights.tril(-5) == 0).all())
    parts = [values["embedding"], *(values[f"layers.0.attention.{m}"] for m in range(sublayers))]
    torch.testing.assert_close(values["layers.0.residual"], sum(parts) + values["layers.0.feedforward"])


def test_a_text_in_pieces_is_recorded_as_in_one_pass() -> None:
    seen = model("transformer", heads=3, context=5)
    with recording(seen) as whole:
        seen(TOKENS)
    with recording(seen) as pieces:
        _, state = seen(TOKENS[:, :3])
        seen(TOKENS[:, 3:], state)
    assert set(whole) == set(pieces)
    for name, value in whole.items():
        torch.testing.assert_close(pieces[name], value)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
def test_every_value_that_is_replaced_changes_the_logits(name: str) -> None:
    seen = model(name, **({"heads": 3} if name == "transformer" else {}))
    with recording(seen) as values:
        plain = seen(TOKENS)[0]
    for target in values:

        def halve(name: str, value: torch.Tensor, target: str = target) -> torch.Tensor:
            return value * 0.5 if name == target else value

        with probing(seen, halve):
            assert not torch.allclose(seen(TOKENS)[0], plain), target
        assert seen.probe is None


def test_a_probe_sees_values_that_gradients_flow_through() -> None:
    seen, kept = model("gru"), []

    def keep(name: str, value: torch.Tensor) -> torch.Tensor:
        if name == "layers.0.hidden":
            value.retain_grad()
            kept.append(value)
        return value

    with probing(seen, keep):
        seen(TOKENS)[0][:, -1].logsumexp(-1).sum().backward()
    norms = [value.grad.norm().item() for value in kept]
    assert len(norms) == 7
    assert norms[-1] > norms[0] > 0


def test_the_glossary_has_one_entry_a_name() -> None:
    assert inner_value("layers.12.attention.1.weights") is GLOSSARY["layers.N.attention.M.weights"]
    with pytest.raises(KeyError):
        inner_value("layers.0.gate.unknown")
    known = {"batch", "time", "width", "heads", "head", "keys", "inner"}
    assert {axis for value in GLOSSARY.values() for axis in value.axes.split()} == known
