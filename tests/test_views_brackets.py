"""The cell that tracks the depth of brackets is found in an LSTM that was trained on `brackets`."""

import numpy as np
import pytest

import glassloom
from glassloom.runs import load_run
from glassloom.views.catalogue import held_out_tokens, look
from glassloom.views.subject import subject
from glassloom.views.units import units
from models_by_hand import BRACKETS, counting


def correlation(found, unit: str, property: str) -> float:
    """Pearson's, of a unit with a property, over the second half of the text, on which nothing was fitted."""
    [tracked] = [each for each in found.tracked if each.property == property]
    half = len(tracked.values) // 2
    return float(np.corrcoef(found.activations[found.units.index(unit)][half:], tracked.values[half:])[0, 1])


def test_the_counter_set_by_hand_goes_with_the_depth_and_no_other_cell_does() -> None:
    text = "(a[b]b)a[a](b)((a)b)[[a]b(a)]ab(a)b[(b)a]([(a)])b" * 2
    found = units((counting(unit=3), BRACKETS), text, properties=["bracket-depth"])
    assert found.best("bracket-depth")[0] == "layers.0.cell:3"
    assert correlation(found, "layers.0.cell:3", "bracket-depth") == pytest.approx(1.0, abs=1e-9)
    others = [name for name in found.units if not name.endswith(":3")]
    rest = [correlation(found, name, "bracket-depth") for name in others
            if np.ptp(found.activations[found.units.index(name)]) > 0]  # fmt: skip
    assert max(map(abs, rest)) < 0.7
