"""The settings of training: optimiser, schedule, batches, budget, moments of evaluation, device."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

BUDGETS = ("epochs", "steps", "train_tokens", "minutes")
USUAL_RATES = {"sgd": 1.0, "adagrad": 3e-2, "rmsprop": 1e-3, "adam": 2e-3, "adamw": 2e-3, "muon": 8e-3}
"""The learning rate of an optimizer that is asked for where the architecture's own is of another kind."""


def setting(default: Any, description: str, unit: str = "", **bounds: Any) -> Any:
    """One field: default, help, unit and bounds, from which flags, docs and the saved file derive."""
    return Field(default, description=description, json_schema_extra={"unit": unit} if unit else None, **bounds)


class TrainSettings(BaseModel):
    """Everything about training that is not the text and not the architecture."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    # How long: one of four.
    epochs: float | None = setting(None, "Train for so many passes over the training text.", "epochs", gt=0)
    steps: int | None = setting(None, "Train for so many updates.", "updates", ge=1)
    train_tokens: int | None = setting(None, "Train on so many tokens.", "tokens", ge=1)
    minutes: float | None = setting(
        None, "Train for so long, from the first step to the last; 2 where no budget is given.", "minutes", gt=0
    )

    # Batches.
    batching: Literal["auto", "streams", "windows", "padded"] = setting(
        "auto",
        "streams: one contiguous stream a row, state carried; windows: random places; padded: whole sequences. "
        "auto: padded for a list of sequences, else the architecture's own.",
    )
    batch_size: int = setting(32, "Rows of a batch; fewer for a large vocabulary if not given.", "rows", ge=1)
    sequence_length: int | None = setting(
        None, "Tokens of a row in one step; the model's context where it has one, else 128.", "tokens", ge=1
    )
    random_lengths: bool = setting(
        False, "With streams: draw each step's length around sequence_length (of one in twenty around half of it), let "
        "the step's learning rate go with it, and begin each epoch elsewhere in the text.",
    )  # fmt: skip
    max_tokens: int = setting(2048, "A padded batch holds at most so many tokens, padding included.", "tokens", ge=1)
    accumulate: int = setting(
        1,
        "Run the batch's rows in so many parts and add their gradients: the same update in less memory, but for "
        "dropout, which is drawn anew for each part.",
        ge=1,
    )
    memory: int = setting(
        0, "With streams, carry a transformer's keys and values from step to step (1) or see the own window only (0).",
        ge=0, le=1,
    )  # fmt: skip

    # The update.
    optimizer: Literal["sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"] = setting(
        "adam", "muon: orthogonalised momentum for hidden matrices, one gate at a time, adamw for the rest."
    )
    lr: float = setting(3e-3, "Learning rate at its highest.", gt=0)
    momentum: float = setting(0.0, "Momentum of sgd and rmsprop; muon has 0.95 of its own.", ge=0, lt=1)
    beta1: float = setting(0.9, "Decay of adam's mean of gradients.", ge=0, lt=1)
    beta2: float = setting(0.99, "Decay of adam's and rmsprop's mean of squared gradients.", ge=0, lt=1)
    epsilon: float = setting(1e-8, "Added to the root of the second moment (inside the root in adagrad).", gt=0)
    weight_decay: float = setting(
        0.0,
        "Decoupled for adamw and muon (matrices only; a model's own default is for these), an L2 penalty elsewhere.",
        ge=0,
    )
    clip_norm: float | None = setting(None, "Scale the gradient down to this global norm.", gt=0)
    clip_value: float | None = setting(None, "Clip every element of the gradient to [-value, value].", gt=0)
    ema: float | None = setting(
        None, "Evaluate and keep an exponential moving average of the weights, with this decay.", gt=0, lt=1
    )

    # The learning rate's course.
    schedule: Literal["constant", "linear", "cosine", "wsd", "step", "plateau"] = setting(
        "cosine", "How the learning rate moves over the budget; wsd: warm-up, stable, decay."
    )
    warmup: float = setting(0.0, "Rise linearly over so many steps, or over that share of the budget if below 1.", ge=0)
    lr_final: float = setting(0.1, "Where linear, cosine and wsd end, as a share of lr.", ge=0, le=1)
    decay_share: float = setting(0.2, "The share of the budget at its end over which wsd decays.", gt=0, le=1)
    step_every: float = setting(
        1.0, "The step schedule multiplies by step_factor every so many epochs.", "epochs", gt=0
    )
    step_factor: float = setting(0.5, "What the step schedule multiplies the learning rate by.", gt=0, lt=1)
    plateau_patience: int = setting(3, "Evaluations without a better loss before plateau lowers.", "evaluations", ge=1)
    plateau_factor: float = setting(0.5, "What the plateau schedule multiplies the learning rate by.", gt=0, lt=1)

    # Watching.
    smoothing: float = setting(
        0.999, "Weight of the past in the smoothed loss of the metrics, which begins at the first loss.", ge=0, lt=1
    )
    eval_every: int | None = setting(
        None, "Evaluate every so many steps; if not given, the setting evaluations says how often.", "updates", ge=1
    )
    evaluations: int | None = setting(
        None,
        "Evaluate so many times over the budget; 20, or down to 4 where that would take over 3 percent of a budget "
        "in minutes, or a quarter of another.",
        "evaluations",
        ge=1,
    )
    eval_tokens: int = setting(
        8_192, "Evaluation during training scores the first so many tokens of valid; 0 for all.", "tokens", ge=0
    )
    eval_protocol: Literal["fair", "streams"] = setting(
        "fair", "fair: context carried; streams: batch_size rows, whole windows only, as in the PTB course project."
    )
    save_every: int | None = setting(None, "Commit a checkpoint every so many steps; at evaluations.", "updates", ge=1)
    keep: int = setting(2, "Keep so many of the newest checkpoints beside the best; 0 for all.", "checkpoints", ge=0)
    sample_every: int | None = setting(None, "Sample every so many steps; 4 times over the budget.", "updates", ge=1)
    sample_prompt: str | None = setting(None, "What samples begin with; the start of the held-out text if not given.")
    sample_length: int = setting(200, "Tokens of a sample.", "tokens", ge=1)
    sample_temperature: float = setting(0.8, "Temperature of samples; 0 takes the most probable token.", ge=0)
    tensorboard: bool = setting(False, "Write TensorBoard's event files into the run's folder `tensorboard`.")
    patience: int | None = setting(
        None, "Stop after so many evaluations without a better validation loss.", "evaluations", ge=1
    )
    stop_on_divergence: bool = setting(True, "Stop when the loss stays far above that of a uniform guess.")

    # The machine.
    seed: int = setting(0, "Decides initial weights, batches, dropout and samples.", ge=0, lt=2**62)
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "Where to compute; auto: cuda, else mps, else cpu.")
    precision: Literal["auto", "float32", "bfloat16", "float64"] = setting(
        "auto", "bfloat16: products in bfloat16, weights in float32; auto: bfloat16 on cuda, else float32."
    )
    threads: int | None = setting(None, "Processor threads; what torch chooses if not given.", "threads", ge=1)
    compile: Literal["auto", "on", "off"] = setting(
        "auto", "Compile the model's passes with torch's compiler; auto: a transformer on cuda, if training is long."
    )
    deterministic: bool = setting(False, "Refuse operations that are not reproducible (on cuda, slower).")

    @field_validator("warmup")
    @classmethod
    def check_warmup(cls, warmup: float) -> float:
        """A share below 1, or steps."""
        if warmup > 1 and warmup != int(warmup):
            raise ValueError("warmup above 1 counts steps and must be a whole number; below 1 it is a share")
        return warmup

    @field_validator("keep")
    @classmethod
    def check_keep(cls, keep: int) -> int:
        """With a single newest checkpoint nothing would be left to step back to."""
        if keep == 1:
            raise ValueError("keep must be at least 2, so that a damaged checkpoint loses little; 0 keeps all")
        return keep

    def budget(self) -> tuple[str, float]:
        """The one budget that is set, as (name, amount)."""
        for name in BUDGETS:
            value = getattr(self, name)
            if value is not None:
                return name, float(value)
        return "minutes", 2.0
