"""The compiled recurrent kernels: the same function as plain torch, for every instruction set and shape."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glassloom.errors import Notice
from glassloom.kernels import native
from glassloom.kernels.gru import gru
from glassloom.kernels.lstm import lstm
from glassloom.kernels.rnn import rnn
from sanitizers import run_driver

ROOT = Path(__file__).parents[1]
SETS = list(native.LIBRARY.sets) if native.LIBRARY else []
GATES = {"rnn": 1, "relu": 1, "before": 3, "after": 3, "lstm": 4}
SHAPES = [(3, 2, 4, 5), (7, 13, 3, 31), (1, 1, 1, 1), (4, 1, 5, 100), (5, 20, 8, 128), (3, 64, 7, 67), (0, 3, 2, 4)]
"""Steps, rows, inputs, width: rows and units that fill no tile, a step, no step, more depth than a stretch."""


def arguments(cell: str, shape: tuple[int, int, int, int], dtype: torch.dtype) -> list[Tensor]:
    """Inputs, weights, bias and first states, drawn alike for every precision."""
    steps, rows, inputs, width = shape
    generator = torch.Generator().manual_seed(sum(shape))
    sizes = [(steps, rows, inputs), (GATES[cell] * width, inputs), (GATES[cell] * width, width), (GATES[cell] * width,)]
    sizes += [(rows, width)] * (2 if cell == "lstm" else 1) + ([(width,)] if cell == "after" else [])
    drawn = [torch.randn(size, generator=generator, dtype=torch.float64) for size in sizes]
    scaled = [drawn[0], *(one / width**0.5 for one in drawn[1:4]), *drawn[4:]]
    return [one.to(dtype).requires_grad_() for one in scaled]


def layer(cell: str, given: list[Tensor]) -> tuple[Tensor, ...]:
    if cell in ("rnn", "relu"):
        return rnn(*given, activation="tanh" if cell == "rnn" else "relu")
    if cell == "lstm":
        return lstm(*given)
    return gru(*given[:5], reset="before") if cell == "before" else gru(*given[:5], "after", given[5])


def both_ways(cell: str, given: list[Tensor], name: str | None, bfloat16: bool = False) -> list[Tensor]:
    """Outputs, final states, and the gradients of everything given, under one instruction set."""
    with native.using(name):
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            out = layer(cell, given)
        loss = sum((one * torch.linspace(-1, 1, max(one.numel(), 1))[: one.numel()].view_as(one)).sum() for one in out)
        assert isinstance(loss, Tensor)
        return [one.detach() for one in (*out, *torch.autograd.grad(loss, given))]


def furthest(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest distance of two tensors, against the norm of the second."""
    pairs = [(one, two) for one, two in zip(ours, theirs, strict=True) if one.numel()]
    return max(float((one - two).norm() / two.norm().clamp_min(1e-30)) for one, two in pairs)


def test_the_kernels_were_built_here() -> None:
    assert shutil.which("c++") is None or "portable" in SETS
    assert native.chosen() == native.preferred(SETS, os.environ.get("GLASSLOOM_INSTRUCTIONS"))


def test_the_environment_can_name_an_instruction_set_and_is_told_where_it_does_not_run() -> None:
    sets = ["portable", "avx2", "avx512"]
    assert [native.preferred(sets, asked) for asked in (None, "", "avx2", "none")] == ["avx512", "avx512", "avx2", None]
    with pytest.warns(Notice, match=r"avx3, .* \(portable, avx2, avx512, none do\): avx512 is used"):
        assert native.preferred(sets, "avx3") == "avx512"


@pytest.mark.skipif(not SETS, reason="the kernels were not built")
def test_a_process_begins_with_the_instruction_set_of_its_environment() -> None:
    told = "from glassloom.kernels import native; print(native.chosen())"
    environment = {**os.environ, "GLASSLOOM_INSTRUCTIONS": "portable"}
    ran = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "portable"


@pytest.mark.parametrize("shape", [*SHAPES, (2, 25, 3, 520), (2, 7, 3, 520)], ids=str)
@pytest.mark.parametrize("cell", GATES)
def test_every_instruction_set_computes_what_plain_torch_does(cell: str, shape: tuple[int, int, int, int]) -> None:
    for dtype, bound in ((torch.float32, 2e-5), (torch.float64, 1e-13)):
        given = arguments(cell, shape, dtype)
        plain = both_ways(cell, given, None)
        for name in SETS:
            assert furthest(both_ways(cell, given, name), plain) < bound, (name, dtype)


@pytest.mark.parametrize("cell", ["rnn", "before", "after", "lstm"])
def test_rounded_products_stay_as_near_as_bfloat16_is(cell: str) -> None:
    given = arguments(cell, (7, 13, 3, 31), torch.float32)
    exact = both_ways(cell, given, None)
    for name in [one for one in SETS if one.endswith("bf16")]:
        error = furthest(both_ways(cell, given, name, bfloat16=True), exact)
        assert 1e-4 < error < 2e-2, "rounded, and by no more than the eight bits of bfloat16"


@pytest.mark.parametrize("cell", GATES)
def test_a_second_backward_pass_gives_the_same_gradients(cell: str) -> None:
    given = arguments(cell, (5, 3, 4, 20), torch.float64)
    for name in (None, *SETS):
        with native.using(name):
            out = layer(cell, given)[0].square().sum()
            first, second = torch.autograd.grad(out, given, retain_graph=True), torch.autograd.grad(out, given)
        assert furthest(list(second), list(first)) == 0


@pytest.mark.parametrize("cell", GATES)
def test_what_is_no_number_is_not_hidden(cell: str) -> None:
    given = arguments(cell, (2, 2, 3, 33), torch.float32)
    with torch.no_grad():
        given[0][0, 0, 0] = float("nan")
    for name in SETS:
        with native.using(name), torch.no_grad():
            out = layer(cell, given)[0]
        assert out[:, 0].isnan().all()
        assert out[:, 1].isfinite().all()
    with torch.no_grad():
        given[0][0, 0, 0] = 1e30  # saturates, and stays finite where the activation is bounded
    for name in SETS if cell != "relu" else []:
        with native.using(name), torch.no_grad():
            assert layer(cell, given)[0].abs().max() <= (1 if cell != "before" and cell != "after" else 3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (25, 200, 300), (500, 700, 67), (3, 513, 5)], ids=str)
def test_a_product_of_rounded_factors_is_summed_in_float32(shape: tuple[int, int, int]) -> None:
    rows, depth, columns = shape
    generator = torch.Generator().manual_seed(depth)
    left, right, bias = (
        torch.randn(size, generator=generator) for size in ((rows, depth), (columns, depth), (columns,))
    )
    exact = left.bfloat16().double() @ right.bfloat16().double().t() + bias
    for name in [one for one in SETS if one.endswith("bf16")]:
        with native.using(name):
            turned = native.rounded_product(left, right.t(), bias)
            straight = native.rounded_product(left, right.t().contiguous(), bias)
        assert torch.equal(turned, straight)
        assert (turned - exact).abs().max() < 1e-5 * depth**0.5 * 5


@pytest.mark.parametrize("cell", ["rnn", "before", "after", "lstm"])
def test_a_short_sequence_of_one_row_is_not_rounded_and_gives_only_what_is_wanted(cell: str) -> None:
    given = arguments(cell, (25, 1, 40, 36), torch.float32)
    turned = [one.detach().t().contiguous().t().requires_grad_() for one in given[1:3]]
    for name in SETS:
        with native.using(name), torch.autocast("cpu", torch.bfloat16):
            rounded = layer(cell, [given[0].detach(), *turned, *given[3:]])[0]
        with native.using(None):
            plain = layer(cell, given)[0]
        assert furthest([rounded.detach()], [plain.detach()]) < 2e-5
        found = torch.autograd.grad(rounded.square().sum(), turned)
        assert furthest(list(found), list(torch.autograd.grad(plain.square().sum(), given[1:3]))) < 2e-5


def test_weights_that_change_without_counting_are_seen() -> None:
    losses: dict[str | None, list[float]] = {}
    for name in (None, *SETS):
        given = arguments("lstm", (6, 3, 4, 32), torch.float32)
        optimizer = torch.optim.Adam(given[1:4], lr=1e-2, fused=True)
        for _ in range(5):
            with native.using(name):
                loss = layer("lstm", given)[0].square().mean()
                optimizer.zero_grad()
                loss.backward()
            optimizer.step()
            losses.setdefault(name, []).append(loss.item())
    for found in losses.values():
        assert found == pytest.approx(losses[None], rel=1e-5)
        assert found[-1] < 0.98 * found[0]


def test_a_library_of_other_sources_is_not_used(tmp_path: Path) -> None:
    source = tmp_path / "old.cpp"
    source.write_text('extern "C" int glassloom_job_bytes(void) { return 8; }\n', encoding="utf-8")
    compiler = shutil.which("c++")
    if compiler:
        subprocess.run([compiler, "-shared", "-fPIC", str(source), "-o", str(tmp_path / "_native.so")], check=True)
    assert native.load(tmp_path) is None


@pytest.mark.skipif(shutil.which("nm") is None, reason="without a compiler there is nothing that lists symbols")
def test_nothing_runs_while_the_library_is_loaded() -> None:
    """An object built at load time by one set's code would stop a processor that lacks the set's instructions."""
    assert native.LIBRARY is not None
    listed = subprocess.run(["nm", native.LIBRARY.functions._name], capture_output=True, text=True, check=True).stdout
    assert "softmax_rows" in listed, "the symbols are there"
    assert "_GLOBAL__sub_I" not in listed


def test_a_weight_that_is_a_view_with_gaps_is_read_as_it_is() -> None:
    if not str(native.chosen()).endswith("bf16"):
        return
    rows, wide = torch.randn(5, 6), torch.randn(12, 14)
    weight = wide[::2, ::2]
    exact = rows.bfloat16().float() @ weight.bfloat16().float()
    assert torch.allclose(native.rounded_product(rows, weight), exact, rtol=0, atol=1e-5)


def test_without_a_compiler_the_package_installs_and_says_so(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "setup.py",
        "--quiet",
        "build_ext",
        "--build-lib",
        str(tmp_path),
        "--build-temp",
        str(tmp_path),
    ]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "CXX": "no-such-compiler"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    assert "plain torch does their work" in built.stderr
    assert native.load(tmp_path) is None


@pytest.mark.parametrize("shape", [(5, 16, 7, 256), (3, 8, 4, 512), (5, 15, 7, 256), (2, 40, 3, 128)], ids=str)
def test_a_wide_lstm_in_float32_is_torchs_own_behind_the_same_call(
    shape: tuple[int, int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From 256 units and 4,096 entries of a state on; whoever runs, the numbers are those of plain torch."""
    ran, own = [], torch.lstm
    monkeypatch.setattr(torch, "lstm", lambda *given: (ran.append(given), own(*given))[1])
    for dtype, bound in ((torch.float64, 1e-13), (torch.float32, 2e-5)):
        given = arguments("lstm", shape, dtype)
        plain = both_ways("lstm", given, None)
        assert not ran
        for name in SETS:
            assert furthest(both_ways("lstm", given, name), plain) < bound, (name, dtype)
            taken = dtype == torch.float32 and name != "portable" and shape[3] >= 256 and shape[1] * shape[3] >= 4096
            assert bool(ran) == taken, (name, dtype)
            ran.clear()


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no compiler")
@pytest.mark.parametrize("asked", [("portable", "avx2"), pytest.param(("avx512_bf16",), marks=pytest.mark.long)])
def test_no_kernel_reads_or_writes_beyond_its_arrays(asked: tuple[str, ...], tmp_path: Path) -> None:
    """The sets that run here, compiled with the sanitizers of addresses and of undefined behaviour."""
    ran = run_driver("native_shapes.cpp", ("kernels", "attention"), ("entry",), asked, tmp_path)
    cells, losses, products = 5 * 3 * 7 * 4, 5 * 3, 7 * 2 * 3  # cells, precisions, shapes, inputs; losses
    drops, attentions = 4 * 2, 5 * 2  # periods and precisions; shapes and precisions
    assert ran == cells + losses + products + drops + attentions
