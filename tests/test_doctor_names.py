"""Each name of the catalogue in files as students write them: named first; and healthy oddities: nothing is found."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from doctor_files import FAULTS, HEALTHY, written
from glassloom.doctor import Diagnosis, examine
from glassloom.doctor.names import NAMES
from glassloom.doctor.ranking import CAUSES, ORDER
from glassloom.doctor.subject import PARTS

TRIED = ("learning-rate-too-high", "learning-rate-too-low")
"""Names that only trials find."""
SICK = [(name, number) for name, cases in FAULTS.items() for number in range(len(cases))]


def opened(source: str, folder: Path) -> ModuleType:
    """The source as a module."""
    file = folder / "model.py"
    file.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("doctors_model", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def diagnosed(source: str, folder: Path, trials: bool) -> Diagnosis:
    """What the doctor says of a file with everything it defines."""
    module = opened(source, folder)
    parts = {name: getattr(module, name) for name in PARTS if hasattr(module, name)}
    found = examine(module.build_model, **parts, trials=trials)
    assert found.measured["not_measured"] == [] or found.verdict == "sick"
    return found


def test_every_name_has_a_place_in_the_order_and_a_file_that_has_it() -> None:
    assert len(NAMES) == 31
    assert sorted(ORDER) == sorted(NAMES)
    assert set(FAULTS) == set(NAMES)
    assert set(CAUSES) <= set(NAMES)
    assert all(name in NAMES for explained in CAUSES.values() for name in explained)


@pytest.mark.parametrize(("name", "number"), SICK)
def test_a_sick_file_is_named(name: str, number: int, tmp_path: Path) -> None:
    source, changes = FAULTS[name][number]
    found = diagnosed(written(source, changes), tmp_path, trials=name in TRIED)
    assert found.verdict == "sick"
    assert found.names[0] == name
    assert len(found.names) <= 2, "one cause is not reported under many names"


@pytest.mark.parametrize("oddity", HEALTHY)
def test_a_healthy_file_is_let_alone(oddity: str, tmp_path: Path) -> None:
    found = diagnosed(written(*HEALTHY[oddity]), tmp_path, trials=False)
    assert found.names == ()
    assert found.verdict == "healthy"


@pytest.mark.parametrize("oddity", ["recurrent", "transformer", "slow descent without momentum"])
def test_a_healthy_loop_passes_the_trials(oddity: str, tmp_path: Path) -> None:
    assert diagnosed(written(*HEALTHY[oddity]), tmp_path, trials=True).names == ()
