"""Settings: gathered here, each written once as a field with type, default, bounds, unit and help."""

from glassloom.config.check import checked, nearest_setting
from glassloom.config.fields import SECTIONS, Setting, all_settings, describe
from glassloom.config.gather import Config
from glassloom.config.names import plain_name, plain_names
from glassloom.config.training import BUDGETS, TrainSettings

__all__ = [
    "BUDGETS",
    "SECTIONS",
    "Config",
    "Setting",
    "TrainSettings",
    "all_settings",
    "checked",
    "describe",
    "nearest_setting",
    "plain_name",
    "plain_names",
]
