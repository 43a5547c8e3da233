"""The contract, for every listed architecture and its main variants; and the sizes that the references give."""

import pytest
import torch
from pydantic import ValidationError

from glassloom.errors import SettingError
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.checks import CHECKS, Measure, gradient_errors
from glassloom.models.contract import LanguageModel, detach
from glassloom.models.gru import GRU
from glassloom.models.summary import parameter_count, summary, training_flops, training_memory

SMALL = {
    **{name: {"width": 12, "embedding": 8} for name in ("rnn", "gru", "lstm")},
    "transformer": {"width": 16, "heads": 2, "context": 8, "layers": 2, "feedforward": 24},
}
VARIANTS = {
    "rnn": [
        {},
        {"activation": "relu"},
        {"embedding": 0, "layers": 1, "initialization": "gaussian", "initial_state": "trainable"},
        {"widths": (8, 12, 10), "bias": "two", "initialization": "fan-in"},
    ],
    "gru": [
        {},
        {"reset": "after", "initial_state": "trainable"},
        {"reset": "after", "bias": "two", "initialization": "torch"},
        {"embedding": 12, "tied": True, "initial_state": "trainable"},
        {"embedding": 0, "initialization": "uniform"},
    ],
    "lstm": [
        {},
        {"initial_state": "trainable", "widths": (10, 7)},
        {"embedding_bias": True, "bias": "two", "initialization": "torch"},
        {"embedding": None, "tied": True, "initialization": "fan-in"},
    ],
    "transformer": [
        {},
        {"positions": "learned", "normalization": "rms", "norm_bias": False},
        {"positions": "sinusoidal", "norm": "post", "final_norm": False, "initialization": "xavier"},
        {"positions": "none", "attention_sublayers": 2, "activation": "swiglu"},
        {"tied": True, "scaled_embedding": True, "activation": "relu2", "norm": "post"},
        {"attention_bias": False, "feedforward_bias": False, "output_bias": False, "norm_bias": False},
        {"initialization": "torch", "activation": "relu", "context": 2},
        {"positions": "learned", "initialization": "torch", "context": 5, "tied": True},
        {"positions": "rotary", "normalization": "rms", "context": 40},
    ],
}
CASES = [
    pytest.param(name, changed, id="-".join([name, *(f"{k}={v}" for k, v in changed.items())]))
    for name, variants in VARIANTS.items()
    for changed in variants
]
KINKED = ("relu",)
VOCABULARY = 11


def small(name: str, seed: int = 0, **changed: object) -> LanguageModel:
    settings = architecture(name).Settings(**{**SMALL[name], **changed})
    return build(settings, VOCABULARY, torch.Generator().manual_seed(seed))


def tokens(rows: int = 3, time: int = 17, seed: int = 5) -> torch.Tensor:
    """Random tokens; every row begins with another one, so that rows can be told apart."""
    drawn = torch.randint(VOCABULARY, (rows, time), generator=torch.Generator().manual_seed(seed))
    drawn[:, 0] = torch.arange(rows) % VOCABULARY
    return drawn


def test_every_listed_architecture_is_held_to_the_contract() -> None:
    assert set(VARIANTS) == set(ARCHITECTURES)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(("name", "changed"), CASES)
def test_the_contract_holds(name: str, changed: dict[str, object], check: str) -> None:
    if check == "differences":
        if changed.get("activation") in KINKED:
            changed = {**changed, "activation": {"rnn": "tanh", "transformer": "gelu"}[name]}
        if name == "transformer":
            changed = {"layers": 1, **changed}
    time = 17
    if check == "overfit" and changed.get("context") in (2, 5):
        time = {2: 4, 5: 6}[changed["context"]]  # no longer than can be told apart within the reach
    x = {"start": tokens(16, 33), "differences": tokens(2, 8), "overfit": tokens(2, time)}.get(check, tokens(time=time))
    found = CHECKS[check](small(name, **changed), x)
    assert found.holds, found


class Broken(LanguageModel):
    """A model that looks at the next token, at the other rows, and forgets its state."""

    def __init__(self, inner: LanguageModel) -> None:
        super().__init__(inner.settings, inner.vocabulary)
        self.inner = inner

    def hidden(self, tokens, state=None):
        hidden, state = self.inner.hidden(tokens)
        return hidden + hidden.roll(-1, 1) + hidden.roll(1, 0), state

    def logits(self, hidden):
        return self.inner.logits(hidden) * 100

    def initial_state(self, batch):
        return self.inner.initial_state(batch)


@pytest.mark.parametrize("check", ["pieces", "rows", "start", "inside"])
def test_a_broken_model_fails_the_checks(check: str) -> None:
    assert not CHECKS[check](Broken(small("gru")), tokens()).holds


def test_a_parameter_that_is_cut_off_and_a_wrong_gradient_are_found() -> None:
    model = small("gru")
    model.extra = torch.nn.Parameter(torch.ones(3))
    assert CHECKS["gradient"](model, tokens()).detail == "extra"

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, values):
            return values.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * 1.001

    class WrongGRU(GRU):
        def hidden(self, tokens, state=None):
            hidden, state = super().hidden(tokens, state)
            return Wrong.apply(hidden), state

    errors = gradient_errors(WrongGRU(small("gru").settings, VOCABULARY), tokens(2, 9), entries=4)
    assert errors["layers.0.bias"] > 1e-4
    assert errors["output.weight"] < 1e-6


def test_a_measure_that_is_not_a_number_does_not_hold() -> None:
    assert not Measure("a loss", float("nan"), 1.0).holds


@pytest.mark.parametrize(
    ("name", "settings", "vocabulary", "expected"),
    [
        ("transformer", {"layers": 8, "heads": 8, "width": 192, "context": 128, "positions": "learned"}, 66, 3609282),
        ("transformer", {"layers": 8, "heads": 8, "width": 192, "context": 128, "positions": "learned"}, 65, 3608897),
        ("gru", {"layers": 2, "width": 512, "embedding": 200}, 10_000, 9_799_568),
        ("rnn", {"layers": 2, "width": 512, "embedding": 200}, 10_000, 8_019_856),
        ("lstm", {"layers": 2, "width": 128, "embedding_bias": True, "bias": "two"}, 45, 275_885),
        ("rnn", {"layers": 1, "width": 100, "embedding": 0}, 80, 100 * 80 + 100 * 100 + 80 * 100 + 100 + 80),
    ],
)
def test_the_references_models_have_their_size(name: str, settings: dict, vocabulary: int, expected: int) -> None:
    model = build(architecture(name).Settings(**settings), vocabulary)
    assert parameter_count(model) == expected
    assert sum(row.parameters for row in summary(model)) == expected


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_default_model_is_small(name: str) -> None:
    assert 250_000 < parameter_count(build(name, 65)) < 1_200_000


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_same_generator_builds_the_same_model_and_torchs_own_is_left_alone(name: str) -> None:
    before = torch.random.get_rng_state()
    first, second, other = small(name, 3), small(name, 3), small(name, 4)
    assert torch.equal(before, torch.random.get_rng_state())
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])
    assert any(not torch.equal(value, other.state_dict()[key]) for key, value in first.state_dict().items())


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_dropout_draws_from_the_models_generator_and_only_while_training(name: str) -> None:
    model, x = small(name, dropout=0.5), tokens()
    model.generator = torch.Generator().manual_seed(1)
    first, second = model(x)[0], model(x)[0]
    assert not torch.equal(first, second)
    model.generator.manual_seed(1)
    assert torch.equal(model(x)[0], first)
    assert torch.equal(model.eval()(x)[0], small(name).eval()(x)[0])


DROPOUTS = [(n, f"dropout_{p}") for n in ("rnn", "gru", "lstm") for p in ("embedding", "layers", "output")]
DROPOUTS += [("transformer", f"dropout_{p}") for p in ("embedding", "residual", "feedforward", "attention")]


@pytest.mark.parametrize(("name", "place"), DROPOUTS)
def test_each_dropout_acts_by_itself(name: str, place: str) -> None:
    model, plain = small(name, **{place: 0.5}), small(name, dropout=0.5, **{place: 0.0})
    model.generator = torch.Generator().manual_seed(1)
    assert not torch.allclose(model(tokens())[0], small(name)(tokens())[0])
    assert plain.settings.rate(place[8:]) == 0 if place != "dropout_attention" else True


def test_one_dropout_mask_through_time_drops_the_same_entries_at_each_step() -> None:
    for mask, same in (("sequence", True), ("step", False)):
        model = small("gru", dropout_output=0.5, dropout_mask=mask)
        model.generator = torch.Generator().manual_seed(1)
        dropped = model.hidden(tokens())[0] == 0
        assert bool((dropped == dropped[:, :1]).all()) is same


@pytest.mark.parametrize(("name", "changed"), CASES)
def test_gate_counts_name_the_hidden_matrices(name: str, changed: dict[str, object]) -> None:
    model = small(name, **changed)
    counts, gates = model.gate_counts(), {"rnn": 1, "gru": 3, "lstm": 4}
    matrices = {key for key, value in model.named_parameters() if value.ndim == 2}
    tables = {"embedding.weight", "positions.weight", "output.weight"}
    if model.settings.model_dump().get("embedding") == 0:
        tables.add("layers.0.input_weight")
    assert set(counts) == matrices - tables
    for key, count in counts.items():
        assert model.get_parameter(key).shape[0] % count == 0
        if name in gates:
            assert count == gates[name]


def test_the_forget_gates_bias_starts_where_it_is_set() -> None:
    bias = small("lstm", forget_bias=2.5).layers[0].bias
    assert bias[12:24].tolist() == [2.5] * 12
    assert bias.sum() == 2.5 * 12


@pytest.mark.parametrize(
    ("name", "changed", "says"),
    [
        ("transformer", {"heads": 3}, "heads must divide the width"),
        ("transformer", {"heads": 0}, "greater than or equal to 1"),
        ("transformer", {"width": 6, "heads": 2}, "rotary positions need heads of an even width"),
        ("transformer", {"positions": "rotory"}, "Input should be"),
        ("transformer", {"depth": 3}, "Extra inputs"),
        ("gru", {"tied": True}, "tied needs an embedding as wide as the last layer"),
        ("gru", {"widths": ()}, "one positive width for each layer"),
        ("gru", {"embedding": 0, "embedding_bias": True}, "one-hot inputs"),
        ("lstm", {"dropout": 1.0}, "less than 1"),
        ("rnn", {"width": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_be_are_refused_with_a_sentence(name: str, changed: dict, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        small(name, **changed)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_setting_has_a_default_and_a_description(name: str) -> None:
    for field in architecture(name).Settings.model_fields.values():
        assert field.description
        assert not field.is_required()


def test_an_unknown_architecture_names_the_nearest() -> None:
    with pytest.raises(SettingError, match="did you mean gru"):
        build("gruu", 5)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_detached_state_carries_values_and_no_gradient(name: str) -> None:
    model = small(name)
    _, state = model(tokens())
    logits, _ = model(tokens(), detach(state))
    assert all(not part.requires_grad for part in detach(state))
    torch.testing.assert_close(logits, model(tokens(), state)[0])


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_under_autocast_the_loss_stays_near_and_gradients_are_float32(name: str) -> None:
    model, x = small(name), tokens()
    expected = model(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        logits, state = model(x[:, :9])
        logits = torch.cat([logits, model(x[:, 9:], state)[0]], 1)
    torch.testing.assert_close(logits.float(), expected, rtol=0.1, atol=0.05)
    logits.float().logsumexp(-1).sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


def test_operations_are_counted_product_by_product() -> None:
    model = small("gru", layers=1)
    assert training_flops(model, 10) == 3 * 2 * (36 * 8 + 36 * 12 + 11 * 12)
    model = small("transformer", layers=1)
    matrices = 48 * 16 + 16 * 16 + 2 * 24 * 16 + 11 * 16
    seen = (1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 8 + 8) / 10
    assert training_flops(model, 10) == pytest.approx(3 * 2 * (matrices + 2 * 16 * seen))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_memory_grows_with_the_batch_and_counting_it_changes_nothing(name: str) -> None:
    model = small(name, dropout=0.1).eval()
    model.generator = torch.Generator().manual_seed(2)
    before = model.generator.get_state()
    one, four = training_memory(model, 1, 8), training_memory(model, 4, 8)
    assert one.parameters == four.parameters == 4 * parameter_count(model)
    assert one.activations < four.activations <= 4 * one.activations
    assert one.total == one.parameters + one.gradients + one.optimizer + one.activations
    assert torch.equal(before, model.generator.get_state())
    assert not model.training
