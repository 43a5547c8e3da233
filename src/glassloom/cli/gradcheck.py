"""`glassloom gradcheck`: analytic gradients against numerical ones, as a table."""

from typing import TYPE_CHECKING, Annotated

from glassloom.cli.options import DEBUG, JSON, option
from glassloom.cli.output import print_json, say, table

if TYPE_CHECKING:
    from glassloom.models.gradients import GradientCheck


def gradcheck(
    *,
    model: Annotated[str | None, option("One architecture; all of them if not given.", "NAME")] = None,
    json: JSON = False,
    debug: DEBUG = False,
) -> int:
    """Compare the gradients of every architecture with centred differences, in float64.

    One row for each parameter tensor; exit code 1 where a relative error is beyond 1e-6.
    """
    from glassloom.api import gradcheck as check

    found = check(model)
    if json:
        print_json(found.as_dict())
    else:
        say_table(found)
    return 1 if found.faults else 0


def say_table(found: "GradientCheck") -> None:
    """Every row, then the worst of each model, then whether all is well."""
    from glassloom.models.gradients import BOUND

    rows = [[r.model, r.variant, str(r.length), r.parameter, written(r.relative_error)] for r in found.rows]
    say(table(rows, ["model", "variant", "length", "parameter", "relative error"], texts=(0, 1, 3)))
    say("\nthe worst of each:")
    worst = [[r.model, r.variant, str(r.length), r.parameter, written(r.relative_error)] for r in found.worst()]
    say(table(worst, ["model", "variant", "length", "parameter", "relative error"], texts=(0, 1, 3)))
    beyond = f"{len(found.faults)} of {len(found.rows)} parameters are beyond {BOUND:g}"
    say(f"\n{beyond if found.faults else f'all {len(found.rows)} parameters are within {BOUND:g}'}")


def written(error: float) -> str:
    """An error, marked where it is beyond the bound."""
    from glassloom.models.gradients import BOUND

    return f"{error:.2e}" + ("" if error <= BOUND else " !")
