"""How much one server does at once, and for one asker."""

from pydantic import BaseModel, ConfigDict

from glassloom.generation.settings import setting


class Limits(BaseModel):
    """What a request may ask for, how many are served at once, how many wait. One field is one flag of `serve`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_tokens: int = setting(4096, "The longest text that may be asked for.", "tokens", ge=1)
    max_prompt: int = setting(16384, "The longest prompt.", "tokens", ge=1)
    max_bytes: int = setting(2**20, "The largest request.", "bytes", ge=1024)
    at_once: int = setting(
        64, "So many texts are written at once with each model; a request has one for each prompt and choice.",
        "texts", ge=1,
    )  # fmt: skip
    queue: int = setting(
        256, "So many requests for a model wait for their turn; one more is refused with 429.", "requests", ge=0
    )
    seconds: float = setting(
        120.0, "So long a request may take, waiting included; then it is broken off.", "seconds", gt=0,
        allow_inf_nan=False,
    )  # fmt: skip
    grace: float = setting(
        10.0, "So long the answers that are on their way may take to end after Ctrl-C or SIGTERM.", "seconds", ge=0,
        allow_inf_nan=False,
    )  # fmt: skip
