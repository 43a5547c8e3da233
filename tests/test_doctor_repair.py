"""Repair by trial: what a mend gains is told beside the first finding, and nothing is tried of what is sound."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from doctor_files import FAULTS, OWN_STEP, T, written
from doctor_healthy_files import HEALTHY
from glassloom.doctor.examine import examine
from test_doctor_names import opened


def diagnosed(source: str, folder: Path) -> Any:
    module = opened(source, folder)
    parts = ("compute_loss", "build_optimizer", "train_step", "make_batch")
    return examine(module.build_model, **{name: getattr(module, name) for name in parts if hasattr(module, name)})


MENDED = [
    ("softmax-before-loss", 0, 0.3),
    ("targets-not-shifted", 0, 0.5),
    ("no-progress", 1, 1.0),
    ("exploding-gradient", 0, 1.0),
    ("padding-counted", 0, 0.3),
]


@pytest.mark.parametrize(("name", "number", "least"), MENDED)
def test_a_mend_gains_what_its_two_losses_say(name: str, number: int, least: float, tmp_path: Path) -> None:
    first = diagnosed(written(*FAULTS[name][number]), tmp_path).findings[0]
    repair = first.evidence["repair"]
    assert first.name == name
    assert repair["gain_nats"] == repair["loss_as_it_is"] - repair["loss_mended"]
    assert repair["gain_nats"] > least
    assert repair["loss_mended"] < 0.8 * math.log(37)
    assert repair["steps"] == 40
    assert f"ended at {repair['loss_as_it_is']:.3f} nats" in first.explanation


SENTENCE = "the quick brown fox jumps over the lazy dog while seven wizards pack my box with five dozen jugs; "


@pytest.mark.parametrize("text", [None, SENTENCE * 12, SENTENCE], ids=["known language", "long text", "short text"])
def test_the_loss_mended_is_that_of_the_same_steps_by_hand(text: str | None, tmp_path: Path) -> None:
    """The file without its fault, from the same weights on the same batch: 40 steps of its own, written out here.

    A text of 1,000 characters is the batch's; a shorter one lends its number of symbols only.
    """
    from glassloom.doctor.language import walk, windows

    sound, sick = opened(written(T, []), tmp_path), written(*FAULTS["softmax-before-loss"][1])
    symbols = sorted(set(text)) if text else list(map(str, range(37)))
    read = torch.tensor([symbols.index(one) for one in text]) if text else walk(37, 4000, 0)
    if len(read) < 1000:
        read = walk(len(symbols), 4000, 0)
    torch.manual_seed(0)
    model = sound.build_model(len(symbols))
    optimizer = sound.build_optimizer(model)
    broken = opened(sick, tmp_path)
    given = {"compute_loss": broken.compute_loss, "build_optimizer": broken.build_optimizer}
    repair = examine(broken.build_model, **given, text=text).findings[0].evidence["repair"]
    inputs, targets = windows(read, 4, 16, 0)
    for _ in range(40):
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        after = F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).item()
    assert repair["loss_mended"] == pytest.approx(after, rel=1e-3)


@pytest.mark.parametrize("oddity", ["recurrent", "transformer"])
def test_of_a_healthy_file_nothing_is_tried(oddity: str, tmp_path: Path) -> None:
    doings: list[str] = []
    module = opened(written(*HEALTHY[oddity]), tmp_path)
    found = examine(module.build_model, watch=lambda doing, findings: doings.append(doing))
    assert found.findings == ()
    assert "learning a single batch" in doings
    assert "the first finding, mended" not in doings


def test_a_name_without_a_mend_stays_as_it_is(tmp_path: Path) -> None:
    found = diagnosed(written(*FAULTS["future-leak"][1]), tmp_path)
    assert found.names == ("future-leak",)
    assert "repair" not in found.findings[0].evidence


def test_gradients_are_cleared_and_missing_tensors_held(tmp_path: Path) -> None:
    piled = written(T, [("def generate", OWN_STEP.replace("    optimizer.zero_grad()\n", "") + "\n\ndef generate")])
    frozen = written(*FAULTS["optimizer-misses-parameters"][1])
    for source, name in ((piled, "gradients-not-zeroed"), (frozen, "optimizer-misses-parameters")):
        first = diagnosed(source, tmp_path).findings[0]
        assert first.name == name
        assert first.evidence["repair"]["gain_nats"] > 0.02


def test_recurrent_matrices_become_orthogonal_gate_by_gate_and_large_ones_small() -> None:
    from glassloom.doctor.mends import SMALL, orthogonal, shrink
    from glassloom.doctor.steps import Loop

    model = nn.Sequential(nn.LSTM(3, 5))
    orthogonal(Loop(None, model, None), (torch.zeros(1), torch.zeros(1)))  # type: ignore[arg-type]
    for gate in model[0].weight_hh_l0.detach().split(5):
        torch.testing.assert_close(gate @ gate.T, torch.eye(5))
    value = torch.full((4, 4), -3.0)
    shrink(value)
    torch.testing.assert_close(value, torch.full((4, 4), -SMALL / 2))
    shrink(value.mul_(0.1))
    torch.testing.assert_close(value, torch.full((4, 4), -SMALL / 20))
