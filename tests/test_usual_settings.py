"""What a setting is that nobody gave: the architecture's own default, if it is meant for what was given beside it."""

from typing import Any

from glassloom.config import Config
from glassloom.models import ARCHITECTURES, architecture


def test_what_is_not_given_is_the_architectures_own_default() -> None:
    for name in ARCHITECTURES:
        own = architecture(name).Settings.training
        train_settings = Config.from_flat({"model": name}).train.model_dump()
        assert {key: train_settings[key] for key in own} == own
    assert Config.from_flat({"model": "transformer", "lr": 0.5}).train.lr == 0.5


def test_a_learning_rate_meant_for_one_optimizer_is_not_taken_for_another_kind() -> None:
    def rate(**given: Any) -> float:
        return Config.from_flat(given).train.lr

    assert rate(model="transformer", optimizer="adamw") == rate(model="transformer", optimizer="adam") == 2e-3
    assert rate(model="gru", optimizer="sgd") == 1.0
    assert rate(model="gru", optimizer="adamw") == rate(model="gru") == rate(model="gru", optimizer="adam")
    assert rate(model="gru", optimizer="sgd", lr=0.3) == 0.3
