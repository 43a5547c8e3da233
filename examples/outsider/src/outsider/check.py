"""`more-parameters-than-text`: who has a number of his own for every token of a text can learn it by heart."""

from typing import Any

from glassloom.extending import Check, History


def parameters_and_tokens(history: History) -> dict[str, Any] | None:
    """The evidence where the model has more parameters than the training text has tokens."""
    parameters = sum(one.numel() for one in history.run.model().parameters())
    tokens = history.facts["sizes"]["train"]["tokens"]
    return {"parameters": parameters, "tokens": tokens} if parameters > tokens else None


MORE_PARAMETERS = Check(
    title="The model has more parameters than its text has tokens",
    severity="note",
    means="The model has more numbers to set than the text has tokens to set them by. It can learn the text by heart, "
    "and with enough passes it will.",
    fix="Watch the validation loss, set --dropout 0.2 or a smaller --width, or find more text.",
    of_run=parameters_and_tokens,
)
