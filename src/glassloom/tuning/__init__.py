"""Settings found: a search by Optuna whose trials are ordinary runs, its journal, its page."""

from glassloom.tuning.results import Search, Trial
from glassloom.tuning.searching import search
from glassloom.tuning.space import Dimension, default_space, parse_space

__all__ = ["Dimension", "Search", "Trial", "default_space", "parse_space", "search"]
