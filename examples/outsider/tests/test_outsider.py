"""Every addition keeps the contract of its kind; the contract is Glassloom's own, from `glassloom.testing`."""

import pytest

from glassloom.testing import check_architecture, check_language, check_tokenizer, check_view


@pytest.mark.parametrize("settings", [{}, {"layers": 1}, {"dropout": 0.2, "gate_bias": 0.0}])
def test_the_architecture_keeps_the_contract(settings: dict[str, object]) -> None:
    check_architecture("mingru", width=12, **settings)


def test_the_tokenizer_keeps_its_contract() -> None:
    check_tokenizer("shift", "Ann met Bob in ÅRHUS. ß and İ have no way back.")


def test_the_language_keeps_its_contract() -> None:
    check_language("threes")


def test_the_view_keeps_its_contract() -> None:
    check_view("calibration", bins=4)
