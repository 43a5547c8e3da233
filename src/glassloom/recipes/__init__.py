"""Named experiments: each with its settings, the figures that it must reach, and what its page shows."""

from glassloom.recipes.recipe import (
    Part,
    PlannedRun,
    Recipe,
    Shown,
    Target,
    listed,
    load_recipe,
    merged,
    parse,
    rows_of,
)

__all__ = ["Part", "PlannedRun", "Recipe", "Shown", "Target", "listed", "load_recipe", "merged", "parse", "rows_of"]
