"""The contract's part that is the doctor's: its own probes find nothing in any listed architecture, to the number."""

import pytest
import torch
from torch import nn

from glassloom.doctor.dependence import dependence, leaks_in_blocks
from glassloom.doctor.examine import Examination
from glassloom.doctor.guarded import guarded
from glassloom.doctor.language import walk
from glassloom.doctor.opening import Opened, opened
from glassloom.doctor.subject import Subject
from glassloom.models import architecture, build
from glassloom.models.checks import ROUNDING
from glassloom.models.contract import LanguageModel
from test_models import CASES, SMALL, VOCABULARY, Broken

FADES = {"gaussian": ["vanishing-gradient"]}
"""REFERENCE B's initialisation, N(0, 0.01^2), really begins with a past that fades thirtyfold a step at this width."""


def subject(name: str, changed: dict[str, object], wrap: type[LanguageModel] | None = None) -> Subject:
    """An architecture as the doctor sees it: something that builds a model."""

    def builder(vocabulary: int) -> nn.Module:
        model = build(architecture(name).Settings(**{**SMALL[name], **changed}), vocabulary)
        return model if wrap is None else wrap(model)

    return Subject(builder, VOCABULARY, walk(VOCABULARY, 4000, 0))


def future_and_rows(start: Opened) -> tuple[float, float, float]:
    """The largest change of a logit by a later token of its row, by another row, and by its own token, in float64."""
    assert start.passer.exact
    table = dependence(start, start.passer)
    blocks = leaks_in_blocks(start, start.passer)
    after = max(table.own("after").max().item(), blocks["future"])
    return after, max(table.across().max().item(), blocks["rows"]), table.own("at").max().item()


@pytest.mark.parametrize(("name", "changed"), CASES)
def test_the_doctor_finds_nothing_in_an_architecture(name: str, changed: dict[str, object]) -> None:
    with guarded():
        start = opened(subject(name, changed))
        future, rows, own = future_and_rows(start)
        examination = Examination(start.subject, lambda doing, found: None)
        examination.model_probes(start)
    assert future <= ROUNDING, "the future never changes the past"
    assert rows <= ROUNDING, "rows never touch each other"
    assert own > 1e-4, "and what may change a logit does"
    assert start.long > 16, "windows longer than any context among the cases but one"
    assert [one.name for one in examination.found] == FADES.get(str(changed.get("initialization")), [])
    assert examination.failed == [], "every probe could be made"


def test_the_doctor_finds_the_broken_model() -> None:
    with guarded():
        start = opened(subject("gru", {}, Broken))
        future, rows, _ = future_and_rows(start)
        examination = Examination(start.subject, lambda doing, found: None)
        examination.model_probes(start)
    assert min(future, rows) > 1
    assert "batch-leak" in {one.name for one in examination.found}
    assert torch.get_default_dtype() == torch.float32, "nothing is left as the doctor had it"
