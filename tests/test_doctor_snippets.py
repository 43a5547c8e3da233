"""The code on the pages of `--explain` is real: the wrong snippet is found by its name, the right one is healthy."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from glassloom.doctor.examine import examine
from glassloom.doctor.explain import snippets
from glassloom.doctor.finding import Diagnosis
from glassloom.doctor.names import NAMES
from glassloom.doctor.subject import PARTS

DOCTOR = Path(__file__).parent.parent / "docs" / "doctor.md"
QUICK = ("softmax-before-loss", "no-past", "gradients-not-zeroed", "targets-not-shifted", "generation-mismatch")
"""Examined by every run of the tests; the others take minutes in all."""
EVERY = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long], id=name) for name in NAMES]


def sound_model() -> str:
    """The model that docs/doctor.md gives for snippets without one."""
    blocks = re.findall(r"```python\n(.*?)```", DOCTOR.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if "class Model" in block]
    return found + "\n\n"


def opened(code: str, folder: Path) -> ModuleType:
    """A snippet as the file that it would be."""
    file = folder / "snippet.py"
    file.write_text(code if "def build_model" in code else sound_model() + code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("snippet", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def diagnosed(code: str, folder: Path) -> Diagnosis:
    module = opened(code, folder)
    return examine(module.build_model, **{part: getattr(module, part) for part in PARTS if hasattr(module, part)})


@pytest.mark.parametrize("name", EVERY)
def test_the_wrong_snippet_has_the_fault_and_the_right_one_none(name: str, tmp_path: Path) -> None:
    wrong, right = snippets(name)
    found = diagnosed(wrong, tmp_path)
    assert found.names[:1] == (name,), found.to_json()
    assert diagnosed(right, tmp_path).verdict == "healthy"


def test_the_documentations_own_model_is_sound(tmp_path: Path) -> None:
    assert diagnosed(sound_model(), tmp_path).findings == ()
