"""Loops that go their own ways: other losses, other methods, schedules, averages, steps that are methods of objects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from doctor_files import R, written
from glassloom.doctor.attention import attention_findings
from glassloom.doctor.batches import Alignment
from glassloom.doctor.finding import Finding
from glassloom.doctor.forward import leak_findings
from glassloom.doctor.guarded import guarded
from glassloom.doctor.looping import descent_findings, zeroing_findings
from glassloom.doctor.lossy import loss_part_findings
from glassloom.doctor.opening import Opened, opened
from glassloom.doctor.outputs import domain_of
from glassloom.doctor.reached import unreached_findings
from glassloom.doctor.running import known_language
from glassloom.doctor.schedules import at_another_rate, rising
from glassloom.doctor.steps import Loop
from glassloom.doctor.subject import PARTS, Subject
from glassloom.doctor.watching import forgetting
from test_doctor_names import opened as imported


def subject(source: str, changes: list[tuple[str, str]], folder: Path) -> Opened:
    """The file with its changes, ready to be probed."""
    module = imported(written(source, changes), folder)
    parts = {name: getattr(module, name) for name in PARTS if hasattr(module, name)}
    return opened(Subject(module.build_model, 31, torch.arange(2000) % 31, **parts))


def named(findings: list[Finding]) -> tuple[str, ...]:
    """The names found."""
    return tuple(one.name for one in findings)


PAGES = Path(__file__).parents[1] / "src/glassloom/doctor/pages"
CALL = "    logits, _ = model(inputs)\n"
STEP = "    loss.backward()\n    optimizer.step()\n"
HEAD = "        self.out = nn.Linear(hidden, vocab_size)\n"
SECOND = HEAD + "        self.after_next = nn.Linear(hidden, vocab_size)\n"
KEPT = ("        return self.out", "        self.hidden = h\n        return self.out")
AUXILIARY = STEP.replace("loss.", "(loss + {}).")


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ("0.3 * compute_loss(model.after_next(model.hidden)[:, :-1], targets[:, 1:])", ()),
        ("1e-3 * sum((p ** 2).sum() for p in model.parameters())", ("unreached-parameters",)),
        ("1e-3 * sum(p.abs().sum() for p in model.parameters())", ("unreached-parameters",)),
    ],
)
def test_a_second_head_is_reached_by_its_own_loss_but_not_by_a_penalty(
    extra: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    with guarded():
        found = unreached_findings(subject(R, [(HEAD, SECOND), KEPT, (STEP, AUXILIARY.format(extra))], tmp_path))
    assert named(found) == expected


CELLS = """    h = inputs.new_zeros(1, inputs.size(0), 48, dtype=torch.float32)
    state, loss = (h, h), 0.0
    for t in range(inputs.size(1)):
        out, state = model.rnn(model.embed(inputs[:, t:t + 1]), state)
        loss {} F.cross_entropy(model.out(out[:, 0]), targets[:, t]) / inputs.size(1)
"""


@pytest.mark.parametrize(("sign", "expected"), [("+=", ()), ("=", ("loss-ignores-positions",))])
def test_a_step_that_goes_past_forward_is_asked_by_its_targets(
    sign: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    old = CALL + "    loss = compute_loss(logits, targets)\n"
    with guarded():
        probed = subject(R, [(old, CELLS.format(sign)), ("\n\ndef compute_loss", "\n\ndef loss_of")], tmp_path)
        found = loss_part_findings(probed, "logits", Alignment(1), 8)[0]
    assert named(found) == expected
    if expected:
        assert found[0].evidence["ignored_positions"] == list(range(6)), "all of seven but the last"


def test_probabilities_for_the_user_are_no_fault_where_the_step_takes_the_logits(tmp_path: Path) -> None:
    changes = [
        ("return self.out(self.drop(h)), state", "return self.out(self.drop(h)).softmax(-1), state"),
        (CALL, "    logits = model.out(model.rnn(model.embed(inputs))[0])\n"),
        ("\n\ndef compute_loss", "\n\ndef loss_of"),
        ("compute_loss(logits", "loss_of(logits"),
    ]
    doubled = [*changes[:1], (CALL, changes[1][1].replace(")[0])\n", ")[0]).softmax(-1)\n")), *changes[2:]]
    for number, (given, expected) in enumerate(((changes, ()), (doubled, ("softmax-before-loss",)))):
        with guarded():
            (tmp_path / str(number)).mkdir()
            probed = subject(R, given, tmp_path / str(number))
            assert domain_of(probed) == "probabilities"
            assert named(loss_part_findings(probed, "probabilities", Alignment(1), 8)[0]) == expected


GATHERED = """    (loss / 4).backward()
    train_step.calls = getattr(train_step, "calls", 0) + 1
    if train_step.calls % 4 == 0:
        optimizer.step()
        {}
"""


@pytest.mark.parametrize(("last", "expected"), [("optimizer.zero_grad()", ()), ("pass", ("gradients-not-zeroed",))])
def test_gradients_gathered_over_calls_must_be_cleared_after_the_update(
    last: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    with guarded():
        changes = [("    optimizer.zero_grad()\n", ""), (STEP, GATHERED.format(last))]
        probed = subject(R, changes, tmp_path)
        found = zeroing_findings(probed, known_language(probed), 4, 8)
    assert named(found) == expected
    if expected:
        assert found[0].evidence["share_of_first_gradient"] == pytest.approx(1.0, abs=0.1)


AVERAGED = """    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step()
    with torch.no_grad():
        for p, old in zip(model.parameters(), before):
            p.copy_({} * old + (1 - {}) * p)
"""


@pytest.mark.parametrize(("decay", "expected"), [(0.5, ()), (0.999, ("no-progress",))])
def test_an_average_copied_over_the_weights_undoes_the_step(
    decay: float, expected: tuple[str, ...], tmp_path: Path
) -> None:
    with guarded():
        probed = subject(R, [("    optimizer.step()\n", AVERAGED.format(decay, decay))], tmp_path)
        found = descent_findings(probed, known_language(probed), 4, 8)
    assert named(found) == expected
    if expected:  # Adam's first steps move a weight by the rate
        assert found[0].evidence["largest_change_by_optimizer"] == pytest.approx(3e-3, rel=0.01)
        assert found[0].evidence["largest_change"] == pytest.approx(3e-6, rel=0.2)


def scheduled(shape: Callable[[int], float], rate: float = 2.0) -> Loop:
    """A loop over two numbers whose step adds the rate times a gradient of one, and moves the schedule on."""
    schedules: dict[int, Any] = {}

    def build(model: torch.nn.Module) -> torch.optim.Optimizer:
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        schedules[id(optimizer)] = torch.optim.lr_scheduler.LambdaLR(optimizer, shape)
        return optimizer

    def step(model: Any, optimizer: Any, inputs: Any, targets: Any) -> float:
        model.weight.grad = torch.ones_like(model.weight)
        optimizer.step()
        schedules[id(optimizer)].step()
        return 0.0

    probed = Subject(lambda size: torch.nn.Embedding(size, size), 2, torch.arange(9) % 2, train_step=step)
    probed.build_optimizer = build
    model = probed.fresh()
    return Loop(opened(probed), model, build(model))


NOTHING = torch.zeros(1, 1), torch.zeros(1, 1)


@pytest.mark.parametrize(("fixed", "moved"), [(False, 0.35), (True, 0.6)])
def test_another_rate_is_another_rate_under_every_schedule(fixed: bool, moved: float) -> None:
    """SGD on a gradient of one: three steps at 2, 1 and 1/2 times 0.1 move by 0.35; fixed at the first, by 0.6."""
    with guarded():
        loop = scheduled(lambda number: 0.5**number)
        before = loop.model.weight.detach().clone()
        assert at_another_rate(loop, 0.1, fixed)
        for _ in range(3):
            loop.step(*NOTHING)
        assert torch.allclose(before - loop.model.weight, torch.full((2, 2), moved))
        assert loop.optimizer.param_groups[0]["lr"] == 0.25, "the schedule's own rate is as the schedule left it"


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param(lambda number: (number + 1) / 100, 2 / 100, id="a warm-up along a line"),
        pytest.param(lambda number: 1.05 ** (number + 1), float("inf"), id="one that rises ever faster"),
        pytest.param(lambda number: 0.9999**number, 0.0, id="a decay"),
    ],
)
def test_how_fast_a_rate_rises(shape: Callable[[int], float], expected: float) -> None:
    with guarded():
        assert rising(scheduled(shape).opened, [NOTHING] * 4) == pytest.approx(expected)


def test_a_method_of_an_object_and_an_object_in_a_global_name_forget_what_they_kept() -> None:
    class Trainer:
        def __init__(self) -> None:
            self.state: int | None = None
            self.seen: list[int] = []

        def step(self, number: int) -> None:
            self.state = number
            self.seen.append(number)

        __call__ = step

    for chosen in ("step", "__call__"):
        trainer = Trainer()
        function = trainer.step if chosen == "step" else trainer
        with forgetting([function]):
            function(3)
            assert (trainer.state, trainer.seen) == (3, [3])
        assert (trainer.state, trainer.seen) == (None, [])
    space: dict[str, Any] = {"trainer": Trainer()}
    exec("def train_step(number):\n    trainer.step(number)", space)
    with forgetting([space["train_step"]]):
        space["train_step"](3)
    assert (space["trainer"].state, space["trainer"].seen) == (None, [])


def test_buffers_that_a_pass_moves_in_training_mode_are_no_leak_between_rows(tmp_path: Path) -> None:
    plain = "nn.Linear(hidden, vocab_size)"
    with guarded():
        spectral = subject(R, [(plain, f"nn.utils.parametrizations.spectral_norm({plain})")], tmp_path)
        assert leak_findings(spectral) == []


@pytest.mark.parametrize(("scale", "sharp"), [(24.0, True), (64**-0.5, False)])
@pytest.mark.parametrize(
    "form", ["(s - s.logsumexp(-1, keepdim=True)).exp()", "s.exp() / s.exp().sum(-1, keepdim=True)"]
)
def test_a_softmax_written_by_hand_is_seen(scale: float, sharp: bool, form: str, tmp_path: Path) -> None:
    """The page's own example, with scores times 24, and through the root of the width."""
    page = (PAGES / "saturated-attention.md").read_text(encoding="utf-8")
    source = (
        page.split("```python\n")[1]
        .split("```")[0]
        .replace("scale=8.0", f"scale={scale}")
        .replace(
            'weights = scores.masked_fill(future, float("-inf")).softmax(-1)',
            f's = scores.masked_fill(future, float("-inf"))\n        weights = {form}',
        )
    )
    assert form in source
    with guarded():
        found = attention_findings(subject(source, [], tmp_path))
    assert named(found) == (("saturated-attention",) if sharp else ())
