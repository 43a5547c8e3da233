"""How tokens are chosen, and when to stop."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


def setting(default: Any, description: str, unit: str = "", **bounds: Any) -> Any:
    """One field: default, help, unit and bounds, from which flags and docs derive."""
    return Field(default, description=description, json_schema_extra={"unit": unit} if unit else None, **bounds)


class DecodingSettings(BaseModel):
    """How to choose each token from the model's distribution, and when to stop.

    The distribution is divided by temperature first; then top-k, top-p and min-p take away improbable tokens, in this
    order, each looking at what the one before has left. With `greedy` none of them matters.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    greedy: bool = setting(False, "Always take the most probable token (of equally probable ones the lowest id).")
    temperature: float = setting(1.0, "Divides the logits: below 1 bolder, above 1 wilder.", gt=0, allow_inf_nan=False)
    top_k: int | None = setting(None, "Choose among so many of the most probable tokens.", "tokens", ge=1)
    top_p: float | None = setting(
        None, "Choose among the fewest tokens that together have this probability.", gt=0, le=1
    )
    min_p: float | None = setting(
        None, "Choose among the tokens at least this share as probable as the most probable one.", gt=0, le=1
    )
    seed: int = setting(0, "Decides the samples; the i-th of several has the seed plus i, i from 0.", ge=0, lt=2**62)
    length: int = setting(200, "The longest sample.", "tokens", ge=1)
    count: int = setting(1, "How many samples.", "samples", ge=1)
    stop: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = setting(
        (), "End a sample before this text; several can be given, the first that is complete counts."
    )
