"""Named experiments: each with its settings, the figures that it must reach, and what its page shows."""

from glassloom.recipes.reading import listed, load_recipe, parse
from glassloom.recipes.recipe import Part, PlannedRun, Recipe, Shown, Target, merged
from glassloom.recipes.tables import rows_of, tables

__all__ = [
    "Part",
    "PlannedRun",
    "Recipe",
    "Shown",
    "Target",
    "listed",
    "load_recipe",
    "merged",
    "parse",
    "rows_of",
    "tables",
]
