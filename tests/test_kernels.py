"""The recurrent kernels against torch's modules, against plain loops from the equations, and against differences."""

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from glassloom.kernels import gru, gru_steps, lstm, lstm_steps, rnn, rnn_steps

GATES = {"rnn-tanh": 1, "rnn-relu": 1, "gru-before": 3, "gru-after": 3, "lstm": 4}
CELLS = list(GATES)


def call(cell: str, arguments: list[Tensor], see=None):
    """The kernel, or its replay, on inputs, weights, bias, initial state(s) and, for gru-after, the recurrent bias."""
    extra = {} if see is None else {"see": see}
    if cell.startswith("rnn"):
        return (rnn if see is None else rnn_steps)(*arguments, cell.removeprefix("rnn-"), **extra)
    if cell == "lstm":
        return (lstm if see is None else lstm_steps)(*arguments, **extra)
    function = gru if see is None else gru_steps
    return function(*arguments[:5], cell.removeprefix("gru-"), *arguments[5:], **extra)


def random_arguments(
    cell: str, time=5, batch=3, inputs=4, width=6, seed=0, dtype=torch.float64, scale=0.5
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    gates = GATES[cell] * width
    shapes = [(time, batch, inputs), (gates, inputs), (gates, width), (gates,), (batch, width)]
    shapes += {"lstm": [(batch, width)], "gru-after": [(width,)]}.get(cell, [])
    return [torch.randn(shape, generator=generator, dtype=dtype).mul(scale).requires_grad_() for shape in shapes]


def results_and_gradients(function, arguments: list[Tensor]) -> list[Tensor]:
    """What it returns, and every argument's gradient of a random weighting of all that it returns."""
    results = function(arguments)
    generator = torch.Generator().manual_seed(9)
    weights = [torch.randn(r.shape, generator=generator, dtype=torch.float64).to(r.dtype) for r in results]
    total = sum((r * w).sum() for r, w in zip(results, weights, strict=True))
    return [*results, *torch.autograd.grad(total, arguments, allow_unused=True)]


def assert_equal(found: list[Tensor], expected: list[Tensor], tolerance=1e-10) -> None:
    for left, right in zip(found, expected, strict=True):
        torch.testing.assert_close(left, right, rtol=tolerance, atol=tolerance)


def torch_module(cell: str, arguments: list[Tensor]):
    """torch's own module as a function of the kernel's arguments: its second bias is zero but for GRU's candidate."""
    inputs, input_weight, recurrent_weight, bias, initial, *extra = arguments
    size, width = input_weight.shape[1], initial.shape[1]
    kind = {"rnn-tanh": nn.RNN, "rnn-relu": nn.RNN, "gru-after": nn.GRU, "lstm": nn.LSTM}[cell]
    module = kind(size, width, **({"nonlinearity": cell[4:]} if kind is nn.RNN else {})).double()
    second = torch.zeros_like(bias)
    if cell == "gru-after":
        second = torch.cat([second[: 2 * width], extra[0]])
    weights = {"weight_ih_l0": input_weight, "weight_hh_l0": recurrent_weight, "bias_ih_l0": bias, "bias_hh_l0": second}
    state = (initial[None], extra[0][None]) if cell == "lstm" else initial[None]
    outputs, final = torch.func.functional_call(module, weights, (inputs, state))
    return (outputs, final[0][0], final[1][0]) if cell == "lstm" else (outputs, final[0])


@pytest.mark.parametrize("cell", ["rnn-tanh", "rnn-relu", "gru-after", "lstm"])
@pytest.mark.parametrize("shape", [{}, {"time": 1}, {"batch": 1, "width": 1}, {"time": 17, "inputs": 1}])
def test_a_kernel_equals_torchs_module_in_values_and_all_gradients(cell: str, shape: dict[str, int]) -> None:
    arguments = random_arguments(cell, **shape)
    found = results_and_gradients(lambda a: call(cell, a), arguments)
    assert_equal(found, results_and_gradients(lambda a: torch_module(cell, a), arguments))


def test_reset_before_equals_the_equations_of_cho_written_as_a_plain_loop() -> None:
    def loop(arguments: list[Tensor]) -> tuple[Tensor, Tensor]:
        inputs, w, u, b, h = arguments
        (w_r, w_z, w_n), (u_r, u_z, u_n), (b_r, b_z, b_n) = w.chunk(3), u.chunk(3), b.chunk(3)
        outputs = []
        for x in inputs:
            r = torch.sigmoid(x @ w_r.T + h @ u_r.T + b_r)
            z = torch.sigmoid(x @ w_z.T + h @ u_z.T + b_z)
            n = torch.tanh(x @ w_n.T + (r * h) @ u_n.T + b_n)
            h = (1 - z) * h + z * n
            outputs.append(h)
        return torch.stack(outputs), h

    arguments = random_arguments("gru-before", time=9)
    found = results_and_gradients(lambda a: call("gru-before", a), arguments)
    assert_equal(found, results_and_gradients(loop, arguments))


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "rnn-relu"])
@pytest.mark.parametrize(("time", "batch", "width"), [(4, 2, 3), (1, 2, 3), (3, 1, 2), (3, 2, 1), (0, 2, 3)])
def test_gradients_equal_numerical_differences(cell: str, time: int, batch: int, width: int) -> None:
    arguments = random_arguments(cell, time, batch, 2, width)
    assert torch.autograd.gradcheck(lambda *a: call(cell, list(a)), arguments, eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("cell", CELLS)
def test_the_replay_equals_the_kernel_and_shows_every_step(cell: str) -> None:
    arguments = random_arguments(cell, time=6)
    seen: dict[str, list[Tensor]] = {}

    def see(name: str, value: Tensor) -> Tensor:
        seen.setdefault(name, []).append(value)
        return value

    found = results_and_gradients(lambda a: call(cell, a), arguments)
    assert_equal(found, results_and_gradients(lambda a: call(cell, a, see), arguments))
    assert_equal([found[0]], [torch.stack(seen["hidden"])])
    assert {len(values) for values in seen.values()} == {6}


@pytest.mark.parametrize("cell", CELLS)
def test_a_value_that_is_replaced_in_the_replay_is_used_from_there_on(cell: str) -> None:
    arguments = random_arguments(cell)
    steps = []

    def see(name: str, value: Tensor) -> Tensor:
        if name != "hidden":
            return value
        steps.append(None)
        return torch.zeros_like(value) if len(steps) == 2 else value

    outputs = call(cell, arguments, see)[0]
    plain = call(cell, arguments)[0]
    torch.testing.assert_close(outputs[0], plain[0])
    assert outputs[1].abs().max() == 0
    assert not torch.allclose(outputs[2], plain[2])


@pytest.mark.parametrize("cell", CELLS)
def test_two_pieces_with_the_carried_state_equal_one_pass(cell: str) -> None:
    arguments = random_arguments(cell, time=7)
    states = 2 if cell == "lstm" else 1

    def pieces(arguments: list[Tensor]) -> tuple[Tensor, ...]:
        inputs, rest = arguments[0], arguments[1:]
        first, *carried = call(cell, [inputs[:3], *rest])
        second, *carried = call(cell, [inputs[3:], *rest[:3], *carried, *rest[3 + states :]])
        return torch.cat([first, second]), *carried

    assert_equal(results_and_gradients(pieces, arguments), results_and_gradients(lambda a: call(cell, a), arguments))


@pytest.mark.parametrize("cell", CELLS)
def test_without_gradients_the_values_are_the_same(cell: str) -> None:
    arguments = random_arguments(cell)
    expected = call(cell, arguments)
    with torch.no_grad():
        assert_equal(list(call(cell, arguments)), list(expected), tolerance=0)


@pytest.mark.parametrize("cell", CELLS)
def test_inputs_that_are_projected_already_give_the_same(cell: str) -> None:
    arguments = random_arguments(cell)

    def projected(arguments: list[Tensor]) -> tuple[Tensor, ...]:
        return call(cell, [arguments[0] @ arguments[1].t(), None, *arguments[2:]])

    assert_equal(results_and_gradients(projected, arguments), results_and_gradients(lambda a: call(cell, a), arguments))


@pytest.mark.parametrize("cell", CELLS)
def test_a_second_backward_pass_finds_the_same_gradients(cell: str) -> None:
    arguments = random_arguments(cell)
    total = call(cell, arguments)[0].square().sum()
    first = torch.autograd.grad(total, arguments, retain_graph=True)
    assert_equal(list(torch.autograd.grad(total, arguments)), list(first), tolerance=0)


@pytest.mark.parametrize("cell", CELLS)
def test_under_autocast_results_stay_in_float32_and_near_it(cell: str) -> None:
    arguments = random_arguments(cell, time=12, width=32, dtype=torch.float32, scale=0.15)
    expected = results_and_gradients(lambda a: call(cell, a), arguments)
    with torch.autocast("cpu", torch.bfloat16):
        found = results_and_gradients(lambda a: call(cell, a), arguments)
    for left, right in zip(found, expected, strict=True):
        assert left.dtype == torch.float32
        assert (left - right).norm() < 0.05 * right.norm()
    assert not torch.equal(found[0], expected[0])


@pytest.mark.parametrize("cell", CELLS)
def test_nothing_of_a_pass_stays_in_memory_after_it(cell: str) -> None:
    arguments = random_arguments(cell)
    outputs, *final = call(cell, arguments)
    node = weakref.ref(outputs.grad_fn)
    outputs.sum().backward()
    del outputs, final
    gc.collect()
    assert node() is None


@pytest.mark.parametrize("cell", CELLS)
def test_the_final_state_owns_its_memory(cell: str) -> None:
    _, *final = call(cell, random_arguments(cell, time=50))
    assert all(part.untyped_storage().nbytes() == part.numel() * part.element_size() for part in final)
