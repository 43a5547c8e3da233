"""The recurrent layers of CUDA: in Triton's interpreter where there is no GPU, torch's own functions anywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glassloom.kernels import builtin, native
from glassloom.kernels.cuda import choosing
from glassloom.kernels.native import Cell
from test_native import GATES, SHAPES, arguments, furthest, layer

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if sys.platform != "linux":
    pytest.importorskip("triton", reason="there is no Triton but on Linux")
if DEVICE == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported; nothing else here does
from glassloom.kernels.cuda import sweeps  # noqa: E402

TILES = {
    "as chosen": None,
    "streamed": sweeps.Tiles(rows=16, units=64, inner=16, held=False, warps=4),
    "meeting": sweeps.Tiles(rows=16, units=16, inner=32, held=False, warps=4),
    "meeting and held": sweeps.Tiles(rows=32, units=16, inner=128, held=True, warps=4),
}
"""Ways to cut a layer: by the sizes, all units in one program and the weights in pieces, programs that wait."""


def both_ways(
    cell: str, given: list[Tensor], way: choosing.Way, tiles: sweeps.Tiles | None = None, bfloat16: bool = False
) -> list[Tensor]:
    """Outputs, final states, and the gradients of everything given, by one implementation."""
    given = [one.detach().to(DEVICE).requires_grad_() for one in given]
    with choosing.using(way), sweeps.tiled(tiles), native.using(None):
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bfloat16):
            out = layer(cell, given)
        loss = sum(
            (one * torch.linspace(-1, 1, max(one.numel(), 1))[: one.numel()].view_as(one).to(DEVICE)).sum()
            for one in out
        )
        assert isinstance(loss, Tensor)
        return [one.detach().cpu() for one in (*out, *torch.autograd.grad(loss, given))]


@pytest.mark.parametrize(
    ("cell", "shape"), [*((cell, shape) for cell in GATES for shape in SHAPES), ("lstm", (2, 17, 3, 137))], ids=str
)
def test_triton_computes_what_plain_torch_does(cell: str, shape: tuple[int, int, int, int]) -> None:
    given = arguments(cell, shape, torch.float32)
    plain = both_ways(cell, given, "plain")
    assert furthest(both_ways(cell, given, "triton"), plain) < 2e-5


@pytest.mark.parametrize("tiles", TILES)
@pytest.mark.parametrize("cell", GATES)
def test_however_a_layer_is_cut_the_result_is_the_same(cell: str, tiles: str) -> None:
    given = arguments(cell, (3, 18, 4, 37), torch.float32)
    plain = both_ways(cell, given, "plain")
    assert furthest(both_ways(cell, given, "triton", TILES[tiles]), plain) < 2e-5


@pytest.mark.parametrize("tiles", TILES)
@pytest.mark.parametrize("cell", ["rnn", "before", "after", "lstm"])
def test_tritons_rounded_products_stay_as_near_as_bfloat16_is(cell: str, tiles: str) -> None:
    given = arguments(cell, (7, 13, 3, 31), torch.float32)
    exact = both_ways(cell, given, "plain")
    error = furthest(both_ways(cell, given, "triton", TILES[tiles], bfloat16=True), exact)
    assert 1e-4 < error < 2e-2, "rounded, and by no more than the eight bits of bfloat16"


@pytest.mark.parametrize("cell", GATES)
def test_a_second_backward_pass_gives_the_same_gradients(cell: str) -> None:
    given = [one.detach().to(DEVICE).requires_grad_() for one in arguments(cell, (5, 3, 4, 20), torch.float32)]
    with choosing.using("triton"):
        out = layer(cell, given)[0].square().sum()
        first, second = torch.autograd.grad(out, given, retain_graph=True), torch.autograd.grad(out, given)
    assert furthest(list(second), list(first)) == 0


@pytest.mark.parametrize("cell", GATES)
def test_what_is_no_number_is_not_hidden(cell: str) -> None:
    given = [one.detach().to(DEVICE) for one in arguments(cell, (2, 2, 3, 33), torch.float32)]
    given[0][0, 0, 0] = float("nan")
    with choosing.using("triton"), torch.no_grad():
        out = layer(cell, given)[0]
    assert out[:, 0].isnan().all()
    assert out[:, 1].isfinite().all()
    given[0][0, 0, 0] = 1e30  # saturates, and stays finite where the activation is bounded
    with choosing.using("triton"), torch.no_grad():
        out = layer(cell, given)[0]
    assert cell == "relu" or out.abs().max() <= (3 if cell in ("before", "after") else 1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("cell", ["rnn", "relu", "after", "lstm"])
def test_torchs_own_layers_compute_what_plain_torch_does(cell: str, shape: tuple[int, int, int, int]) -> None:
    given = arguments(cell, shape, torch.float32)
    plain = both_ways(cell, given, "plain")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        assert furthest(both_ways(cell, given, "cudnn"), plain) < 2e-5
    if shape == (7, 13, 3, 31) and cell != "relu":
        assert 1e-4 < furthest(both_ways(cell, given, "cudnn", bfloat16=True), plain) < 3e-2


def test_torchs_own_layers_run_what_they_can_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    for name in ("rnn_tanh", "rnn_relu", "gru", "lstm"):
        function = getattr(torch, name)
        monkeypatch.setattr(
            builtin.torch, name, lambda *given, name=name, function=function: (ran.append(name), function(*given))[1]
        )
    for cell in GATES:
        both_ways(cell, arguments(cell, (3, 2, 4, 5), torch.float32), "cudnn")
    assert ran == ["rnn_tanh", "rnn_relu", "gru", "lstm"], "not the GRU with reset before"
    given = arguments("lstm", (3, 2, 20, 5), torch.float32)
    with choosing.using("cudnn"):
        layer("lstm", [given[0], None, *given[2:]])  # type: ignore[list-item]  # inputs projected already
        layer("lstm", [one.double() for one in arguments("lstm", (3, 2, 4, 5), torch.float32)])
    assert len(ran) == 4


def test_a_model_with_a_trainable_first_state_learns_alike_by_every_way() -> None:
    from glassloom.models import build
    from glassloom.models.gru import GRUSettings

    settings = GRUSettings(width=24, initial_state="trainable", reset="after")
    gradients = {}
    for way in ("plain", "cudnn", "triton"):
        model = build(settings, 11, torch.Generator().manual_seed(3)).to(DEVICE)
        tokens = torch.arange(40, device=DEVICE).view(4, 10) % 11
        with choosing.using(way):
            model(tokens)[0].square().sum().backward()
        gradients[way] = [weights.grad.cpu() for weights in model.parameters()]
        assert model.layers[0].initial_hidden.grad.abs().max() > 0
    assert furthest(gradients["cudnn"], gradients["plain"]) < 2e-5
    assert furthest(gradients["triton"], gradients["plain"]) < 2e-5


def test_nothing_imports_triton_without_cuda() -> None:
    program = "import sys, glassloom.training, glassloom.kernels; print('triton' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_the_table_of_measurements_names_what_there_is() -> None:
    for row in choosing.measured():
        assert row["cell"] in ("rnn", "gru after", "lstm")
        assert row["precision"] in ("float32", "bfloat16")
        assert row["fastest"] in ("cudnn", "triton")


def test_the_nearest_measurement_decides() -> None:
    shapes = [(128, 512, "cudnn"), (1, 100, "triton")]
    rows: list[dict[str, object]] = [
        {"cell": "lstm", "precision": "bfloat16", "batch": batch, "width": width, "fastest": way}
        for batch, width, way in shapes
    ]
    assert choosing.fastest("lstm", torch.bfloat16, 20, 400, rows) == "cudnn"
    assert choosing.fastest("lstm", torch.bfloat16, 2, 300, rows) == "triton"
    assert choosing.fastest("gru after", torch.bfloat16, 2, 300, rows) == "cudnn", "nothing was measured"


def check_compiled(cell: str, folder: Path, cuts: int) -> None:
    """In a process of its own, for here kernels may be interpreted: what they take of the chip, and how they meet."""
    program = Path(__file__).parent / "compile_kernels.py"
    command = [sys.executable, str(program), cell, str(folder), str(cuts)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    lines = [line.split() for line in ran.stdout.splitlines()]
    assert len(lines) == 2 * cuts, "both directions"
    assert {line[2] for line in lines} == {"True", "False"}
    for _, shared, together, raised, waited in lines:
        assert int(shared) <= sweeps.HOPPER.shared_bytes
        assert (int(raised) > 0, int(waited) > 0) == (together == "True", together == "True")


@pytest.mark.parametrize("cell", ["RNN_TANH", "LSTM"])  # the others: make test-all
def test_the_kernels_compile_for_hopper_and_fit(cell: str, tmp_path: Path) -> None:
    check_compiled(cell, tmp_path, cuts=2)


@pytest.mark.long
@pytest.mark.parametrize("cell", [cell.name for cell in Cell])
def test_the_kernels_compile_for_hopper_in_every_precision_and_cut(cell: str, tmp_path: Path) -> None:
    check_compiled(cell, tmp_path, cuts=4)
