"""Settings: gathered here, each written once as a field with type, default, bounds, unit and help."""

from glassloom.config.gather import Config, Setting, all_settings
from glassloom.config.training import BUDGETS, TrainSettings

__all__ = ["BUDGETS", "Config", "Setting", "TrainSettings", "all_settings"]
