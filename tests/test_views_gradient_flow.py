"""The gradient through time, on models whose gradient is known, and against numerical gradients for every other."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glassloom.data.batches import Batch
from glassloom.errors import SettingError
from glassloom.exhibits import Lines, Table
from glassloom.loss import token_nats
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import probing
from glassloom.report.lines import frame_of_lines, lines_chart
from glassloom.runs import load_run
from glassloom.views.gradient_flow import (
    LayerFlow,
    first_batch,
    gradient_flow,
    gradient_flow_exhibits,
    run_gradient_flow,
)
from trainings import language, small, stream, train

TIME, WIDTH, VOCABULARY = 12, 6, 5


def batch(rows: int = 3, time: int = TIME) -> Batch:
    tokens = torch.randint(VOCABULARY, (rows, time + 1), generator=torch.Generator().manual_seed(1))
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.ones(rows, dtype=torch.bool))


def model(name: str, **settings: object) -> LanguageModel:
    built = build(
        architecture(name).Settings(**{"width": WIDTH, "layers": 2, **settings}),
        VOCABULARY,
        torch.Generator().manual_seed(2),
    )
    return built.double()


def hand_set(activation: str, factor: float, inputs: float) -> LanguageModel:
    """One simple recurrent layer with U = factor I, whose every input is `inputs`."""
    made = model("rnn", layers=1, activation=activation)
    with torch.no_grad():
        made.get_parameter("layers.0.recurrent_weight").copy_(factor * torch.eye(WIDTH))
        made.get_parameter("layers.0.input_weight").zero_()
        made.get_parameter("layers.0.bias").fill_(inputs)
    return made


def test_through_an_identity_recurrence_the_gradient_does_not_vanish() -> None:
    [flow] = gradient_flow(hand_set("relu", 1.0, 0.1), batch()).layers
    assert flow.norms[0] > 0
    assert flow.norms == pytest.approx([flow.norms[0]] * TIME, rel=1e-12)
    assert flow.scaled == pytest.approx([1.0] * TIME)


def test_through_half_the_identity_it_halves_at_each_step() -> None:
    [flow] = gradient_flow(hand_set("tanh", 0.5, 0.0), batch()).layers
    assert flow.scaled == pytest.approx([0.5 ** (TIME - 1 - place) for place in range(TIME)], rel=1e-12)
    assert flow.reach() == 7  # a half to the seventh is the first below a hundredth
    assert flow.reach(1e-9) is None


def test_where_tanh_saturates_each_step_takes_its_slope_too() -> None:
    [flow] = gradient_flow(hand_set("tanh", 0.5, 0.7), batch()).layers
    hidden = [0.0]
    for _ in range(TIME):
        hidden.append(math.tanh(0.7 + 0.5 * hidden[-1]))
    factors = [0.5 * (1 - after**2) for after in hidden[2:]]
    expected = [math.prod(factors[place:]) for place in range(TIME)]
    assert flow.scaled == pytest.approx(expected, rel=1e-12)


def test_the_norm_is_frobenius_over_the_batch_and_the_loss_is_the_rows_mean() -> None:
    made, given = hand_set("tanh", 0.5, 0.3), batch()
    [flow] = gradient_flow(made, given).layers
    logits, _ = made(given.inputs)
    error = logits[:, -1].softmax(-1)
    error[torch.arange(3), given.targets[:, -1]] -= 1
    expected = (error @ made.output_weight / 3).norm().item()  # d loss / d h_T by hand: (p - y) V / rows
    assert flow.norms[-1] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
@pytest.mark.parametrize("context", [20, 6])
def test_every_architecture_agrees_with_a_numerical_gradient(name: str, context: int) -> None:
    own = {"heads": 2, "context": context, "positions": "learned"} if name == "transformer" else {}
    made, given = model(name, **own), batch(rows=2)
    flow = gradient_flow(made, given, training=False, step=10)

    def loss(target: str, place: int, change: Tensor) -> float:
        seen = [0]

        def push(name: str, value: Tensor) -> Tensor:
            if name != target:
                return value
            start = seen[0] - made.repeated
            seen[0] = start + value.shape[1]
            if not start <= place < seen[0]:
                return value
            return torch.cat([value[:, : place - start], value[:, place - start, None] + change[:, None],
                              value[:, place - start + 1 :]], 1)  # fmt: skip

        with probing(made, push), torch.no_grad():
            return token_nats(made(given.inputs)[0][:, 9:10], given.targets[:, 9:10]).mean().item()

    for each in flow.layers:
        target = f"layers.{each.layer}.{each.value}"
        for place in (3, 8, 9):
            gradient = torch.zeros(2, WIDTH, dtype=torch.float64)
            for row in range(2):
                for entry in range(WIDTH):
                    change = torch.zeros(2, WIDTH, dtype=torch.float64)
                    change[row, entry] = 1e-5
                    gradient[row, entry] = (loss(target, place, change) - loss(target, place, -change)) / 2e-5
            assert each.norms[place] == pytest.approx(gradient.norm().item(), rel=1e-5, abs=1e-10), (target, place)
    assert {each.value for each in flow.layers} == {
        "lstm": {"hidden", "cell"}, "transformer": {"residual"},
    }.get(name, {"hidden"})  # fmt: skip
    assert all(len(each.norms) == 10 for each in flow.layers)


def test_a_shorter_row_does_not_count_and_a_step_that_none_has_is_refused() -> None:
    given = batch()
    mask = torch.ones(3, TIME, dtype=torch.bool)
    mask[1:, -2:] = False
    cut = Batch(given.inputs, given.targets, given.fresh, mask)
    made = model("gru")
    alone = Batch(given.inputs[:1], given.targets[:1], given.fresh[:1])
    found, expected = gradient_flow(made, cut), gradient_flow(made, alone)
    assert (found.rows, expected.rows) == (1, 1)
    for one, other in zip(found.layers, expected.layers, strict=True):
        assert one.norms == pytest.approx(other.norms, rel=1e-10)
    mask[0, -1] = False
    for step in (TIME, TIME + 1, 0):
        with pytest.raises(SettingError, match="No row has a token"):
            gradient_flow(made, cut, step=step)


def test_dropout_is_drawn_from_the_given_generator_and_the_model_is_left_as_it_was() -> None:
    made = model("gru", dropout=0.5)
    made.eval()

    def norms(seed: int, training: bool = True) -> tuple[float, ...]:
        generator = torch.Generator().manual_seed(seed)
        return gradient_flow(made, batch(), training=training, generator=generator).layers[0].norms

    assert norms(1) == norms(1) != norms(2)
    assert norms(1, training=False) == norms(2, training=False)
    assert not made.training
    assert made.generator is None
    assert made.probe is None
    assert all(weights.grad is None for weights in made.parameters())


@pytest.mark.parametrize("batching", ["streams", "padded"])
def test_a_run_is_looked_at_on_the_batch_of_its_first_update(tmp_path: Path, tiny_text: str, batching: str) -> None:
    corpus = stream(tiny_text) if batching == "streams" else language()
    run = train(corpus, tmp_path, **small("gru", steps=2)).run
    given = first_batch(load_run(run.path), corpus)
    assert given.inputs.shape[0] == 4
    if batching == "streams":
        length = corpus.train.tokens // 4
        expected = [corpus.train.ids[row * length : row * length + 8].tolist() for row in range(4)]
        assert given.inputs.tolist() == expected
    flow = run_gradient_flow(run, corpus)
    assert flow.training
    assert flow.step == given.inputs.shape[1]
    assert flow.layers[0].norms[-1] > 0


def test_of_a_transformer_s_last_layer_nothing_is_read_again_so_the_one_below_is_shown() -> None:
    flow = gradient_flow(model("transformer", heads=2, context=20, positions="none"), batch())
    below, last = flow.layers
    assert last.norms[:-1] == (0.0,) * (TIME - 1)
    assert last.norms[-1] > 0
    assert min(below.norms) > 0
    assert flow.layer(1) == flow.layer(0) == (below,)
    assert gradient_flow(model("gru"), batch()).layer(1)[0].layer == 1
    assert "the one below is shown" in gradient_flow_exhibits({"transformer": flow}, layer=1)[0].caption
    _, raw, _ = gradient_flow_exhibits({"transformer": flow})
    assert isinstance(raw, Lines)
    alone = raw.series[1]
    assert alone.name == "transformer, layers.1.residual"
    assert [each is not None for each in alone.y] == [False] * (TIME - 1) + [True]
    assert "Of transformer, layers.1.residual the last step alone has a gradient, drawn as one dot" in raw.caption
    spec = lines_chart(raw, frame_of_lines(raw), "")
    assert [row["dot"] for row in spec["datasets"]["curves"] if row["name"] == alone.name] == [2], "a large dot"


def test_its_exhibits_hold_the_numbers_and_say_the_convention() -> None:
    flows = {name: gradient_flow(model(name), batch()) for name in ("rnn", "lstm")}
    scaled, raw, table = gradient_flow_exhibits(flows, layer=1)
    assert isinstance(scaled, Lines)
    assert [series.name for series in scaled.series] == ["rnn, layers.1.hidden", "lstm, layers.1.cell",
                                                         "lstm, layers.1.hidden"]  # fmt: skip
    assert scaled.series[0].y == flows["rnn"].layers[1].scaled
    assert isinstance(raw, Lines)
    assert raw.y.log
    assert raw.series[0].y == flows["rnn"].layers[1].norms
    assert "Frobenius, over 3 rows" in raw.caption
    assert "below is shown" not in raw.caption
    assert isinstance(table, Table)
    assert table.rows[0][1:4] == (1.0, flows["rnn"].layers[1].scaled[-2], flows["rnn"].layers[1].scaled[-6])
    assert table.rows[0][-2] is None  # 30 steps back there is nothing
    assert len(gradient_flow_exhibits(flows)[0].series) == 2 + 4  # every layer


def test_the_half_life_is_that_of_the_straight_line_through_the_logarithms() -> None:
    halving = LayerFlow(1, "hidden", tuple(8 * 0.5 ** ((10 - step) / 3) for step in range(11)))
    assert halving.half_life == pytest.approx(3)
    assert halving.first_to_last == pytest.approx(0.5 ** (10 / 3))
    # ln 1, ln 4, ln 16 with ln 4 moved up by ln 2: the line's slope stays (ln 16 - ln 1) / 2
    assert LayerFlow(1, "hidden", (1.0, 8.0, 16.0)).half_life == pytest.approx(math.log(2) / (math.log(16) / 2))
    assert LayerFlow(1, "hidden", (0.0, 1.0, 2.0)).half_life == pytest.approx(1), "a norm of 0 has no logarithm"
    assert LayerFlow(1, "hidden", (3.0, 2.0, 1.0)).half_life is None, "it grows on the way back"
    assert LayerFlow(1, "hidden", (3.0, 2.0, 1.0)).first_to_last == 3
    assert LayerFlow(1, "hidden", (0.0, 1.0)).half_life is None
    assert LayerFlow(1, "hidden", (1.0, 0.0)).first_to_last is None
