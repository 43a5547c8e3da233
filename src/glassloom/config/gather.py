"""Gather the settings classes into one configuration; flags, docs and `config.json` derive from the same fields.

section   from                                  example
data      glassloom.data.settings               --lowercase      or --data.lowercase
model     glassloom.models.settings             --layers 2       or --model.layers 2
train     glassloom.config.training             --lr 1e-3        or --train.lr 1e-3
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from glassloom.config.check import checked, checked_file, nearest_setting
from glassloom.config.fields import SECTIONS
from glassloom.config.names import plain_names
from glassloom.config.training import BUDGETS, USUAL_RATES, TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.errors import SettingError
from glassloom.models import ARCHITECTURES, settings_of

if TYPE_CHECKING:
    from glassloom.models.settings import ModelSettings


DECOUPLED = ("adamw", "muon")
"""Optimizers whose weight decay is apart from the gradient (Loshchilov and Hutter 2019)."""


@dataclass(frozen=True)
class Config:
    """One run's settings, all of them: text, architecture by name with its own settings, training.

    >>> Config.from_flat({"model": "gru", "width": 64}).model.width
    64
    """

    data: DataSettings
    architecture: str
    model: "ModelSettings"
    train: TrainSettings

    @classmethod
    def from_flat(cls, given: Mapping[str, Any]) -> "Config":
        """From plain names (`width`, or `model.width` in full; see `plain_names`) to a checked configuration.

        What is not given takes the architecture's own default for training, then the setting's.

        Raises:
            SettingError: an unknown name (the nearest is offered), a value out of bounds, two budgets.
        """
        given = plain_names(given)
        name = str(given.pop("model", "gru"))
        own = settings_of(name)
        sections = split_by_section(given, name)
        budgets = [budget for budget in BUDGETS if sections["train"].get(budget) is not None]
        if len(budgets) > 1:
            raise SettingError(
                f"Training was given {len(budgets)} budgets: {' and '.join(budgets)}", "one of them", "drop the others"
            )
        usual = dict(own.training)
        if "context" in sections["model"]:
            usual.pop("sequence_length", None)  # a step is then as long as the context that was asked for
        optimizer = sections["train"].get("optimizer", usual["optimizer"])
        if optimizer not in DECOUPLED:
            usual.pop("weight_decay", None)  # meant as decay apart from the gradient, not as a penalty in it
        if optimizer != usual["optimizer"] and not {optimizer, usual["optimizer"]} <= {"adam", "adamw"}:
            usual["lr"] = USUAL_RATES.get(optimizer, usual["lr"])
        return cls(
            checked(DataSettings, sections["data"]),
            name,
            checked(own, sections["model"]),
            checked(TrainSettings, {**usual, **sections["train"]}),
        )

    def as_dict(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return {
            "data": self.data.model_dump(mode="json"),
            "model": {"name": self.architecture, **self.model.model_dump(mode="json")},
            "train": self.train.model_dump(mode="json"),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Config":
        """The inverse of `as_dict`; strict: nothing unknown passes, no text for a number; what lacks is said."""
        if not isinstance(saved, Mapping) or set(saved) != set(SECTIONS) or not isinstance(saved["model"], Mapping):
            raise SettingError(
                "The saved settings are not those of a run",
                f"three groups of settings: {', '.join(SECTIONS)}",
                "use the config.json that was written with the run",
            )
        model = dict(saved["model"])
        name = str(model.pop("name", None))
        own = settings_of(name)
        data, train = checked_file(DataSettings, saved["data"]), checked_file(TrainSettings, saved["train"])
        return cls(data, name, checked_file(own, model), train)

    def flat(self) -> dict[str, Any]:
        """Every setting by its plain name, the architecture as `model`."""
        sections = (self.data, self.model, self.train)
        return {"model": self.architecture} | {k: v for part in sections for k, v in part.model_dump().items()}

    def with_train(self, **changes: Any) -> "Config":
        """The same configuration with some settings of training changed."""
        train = checked(TrainSettings, {**self.train.model_dump(), **changes})
        return Config(self.data, self.architecture, self.model, train)

    def with_data(self, **changes: Any) -> "Config":
        """The same configuration with some settings of the text changed."""
        data = checked(DataSettings, {**self.data.model_dump(), **changes})
        return Config(data, self.architecture, self.model, self.train)


def split_by_section(given: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Sort plain names into sections, refusing unknown ones by the nearest known."""
    classes: dict[str, type[BaseModel]] = {
        "data": DataSettings,
        "model": settings_of(name),
        "train": TrainSettings,
    }
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for setting, value in given.items():
        home = next((section for section in SECTIONS if setting in classes[section].model_fields), None)
        if home is None:
            raise unknown_setting(setting, name, classes)
        sections[home][setting] = value
    return sections


def unknown_setting(setting: str, name: str, classes: Mapping[str, type[BaseModel]]) -> SettingError:
    """The error for a name that no section knows, or that belongs to another architecture."""
    others = [a for a in ARCHITECTURES if setting in settings_of(a).model_fields]
    if others:
        return SettingError(
            f"{name} has no setting {setting}; it is a setting of {', '.join(others)}",
            fix=f"drop it, or choose --model {others[0]}",
        )
    known = [f for c in classes.values() for f in c.model_fields] + ["model"]
    return SettingError(f"There is no setting {setting}", fix=nearest_setting(setting, known))
