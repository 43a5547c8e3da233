"""How long each recipe would take at full size here: every run that is not optional, foretold from some of its steps.

The sums, in hours, stand in the recipes as `hours_cpu`; `glassloom run --list` shows them.
"""

import measuring
from glassloom.experiment.planning import plan
from glassloom.experiment.run import cost, texts
from glassloom.recipes import listed, load_recipe


def main() -> None:
    """Probe and store."""
    rows = []
    for name in listed():
        chosen = plan(load_recipe(name))
        corpora = texts(chosen)
        seconds = {run.id: cost(run, corpora[run.id])[0] for _, runs in chosen.parts for run in runs}
        rows.append({"recipe": name, "hours": sum(seconds.values()) / 3600, "seconds": seconds})
        print(f"{name}: {rows[-1]['hours']:.2f} hours")
    measuring.write("recipe_times", "python benchmarks/recipe_times.py", rows)


if __name__ == "__main__":
    main()
