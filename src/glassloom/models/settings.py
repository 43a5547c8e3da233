"""The architectures' settings: each field once, with default, help and bounds.

They stand apart from the models, for flags, help and documents derive from them without torch.
"""

import math
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

WORDS = Field(
    0.0,
    ge=0,
    lt=1,
    description="Share of the vocabulary whose vectors are dropped as inputs, one draw for a whole batch: a word that "
    "is dropped is so at every place.",
)


class ModelSettings(BaseModel):
    """What every architecture's settings share; each architecture's own class sits in its file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    architecture: ClassVar[str]
    """The name that the architecture is listed by."""
    training: ClassVar[dict[str, Any]] = {}
    """The architecture's own defaults for settings of training (learning rate, optimizer, ...)."""


class RecurrentSettings(ModelSettings):
    """The settings that RNN, GRU and LSTM share."""

    training: ClassVar[dict[str, Any]] = {
        "optimizer": "adam",
        "lr": 4e-3,
        "schedule": "cosine",
        "clip_norm": 1.0,
        "batch_size": 16,
        "sequence_length": 64,
    }

    layers: int = Field(2, ge=1, le=200, description="Layers, one above the other.")
    width: int = Field(256, ge=1, description="Entries of each layer's hidden vector.")
    widths: tuple[int, ...] | None = Field(
        None, description="Each layer's own width, the one next to the tokens first; instead of layers and width."
    )
    embedding: int | None = Field(
        None, ge=0, description="Entries of a token's vector; none: as wide as the first layer; 0: one-hot inputs."
    )
    embedding_bias: bool = Field(False, description="Add a bias to the embedding: a linear map of one-hot inputs.")
    initial_state: Literal["zero", "trainable"] = Field("zero", description="The state that a new row begins with.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of entries dropped on embedding, layers and output.")
    dropout_embedding: float | None = Field(None, ge=0, lt=1, description="Dropout on the embedding; none: dropout.")
    dropout_layers: float | None = Field(None, ge=0, lt=1, description="Dropout between layers; none: dropout.")
    dropout_output: float | None = Field(None, ge=0, lt=1, description="Dropout before the output; none: dropout.")
    dropout_words: float = WORDS
    dropout_recurrent: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the recurrent weights themselves that are dropped, one draw for all steps and rows of a "
        "batch (DropConnect).",
    )
    dropout_state: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the entries of the hidden vector before that the recurrent product does not see, one "
        "draw for all steps, rows and gates of a batch: columns of the recurrent weight. What a gate carries over is "
        "not dropped.",
    )
    dropout_mask: Literal["step", "sequence"] = Field(
        "step", description="On embedding, layers and output: a fresh mask at each step, or one for the whole sequence."
    )
    tied: bool = Field(False, description="The embedding's weight is the output layer's too.")
    bias: Literal["one", "two"] = Field(
        "one", description="One bias for each gate, or two (input and recurrent, as torch has them)."
    )
    initialization: Literal["orthogonal", "uniform", "gaussian", "fan-in", "torch"] = Field(
        "orthogonal",
        description="Weights at the start: orthogonal recurrent gates; uniform in 1/sqrt(width) with 0.1 for tables; "
        "gaussian with deviation 0.01; gaussian by the number of inputs; torch's own.",
    )

    @model_validator(mode="after")
    def check(self) -> "RecurrentSettings":
        if self.widths is not None and (not self.widths or min(self.widths) < 1):
            raise ValueError("widths must name one positive width for each layer, for instance 128,256")
        if self.tied and self.embedding_size != self.layer_widths[-1]:
            raise ValueError(
                f"tied needs an embedding as wide as the last layer, but the embedding has {self.embedding_size} "
                f"entries and the last layer {self.layer_widths[-1]}; set embedding to {self.layer_widths[-1]}"
            )
        if self.embedding == 0 and (self.embedding_bias or self.dropout_embedding):
            raise ValueError("with one-hot inputs (embedding 0) there is no embedding to have a bias or dropout")
        return self

    @property
    def layer_widths(self) -> tuple[int, ...]:
        """The width of each layer."""
        return self.widths or (self.width,) * self.layers

    @property
    def embedding_size(self) -> int:
        """Entries of a token's vector; 0 for one-hot inputs."""
        return self.layer_widths[0] if self.embedding is None else self.embedding

    def rate(self, place: Literal["embedding", "layers", "output"]) -> float:
        """The dropout at one place."""
        own: float | None = getattr(self, f"dropout_{place}")
        return self.dropout if own is None else own


class RNNSettings(RecurrentSettings):
    """Settings of the simple recurrent network."""

    architecture: ClassVar[str] = "rnn"
    training: ClassVar[dict[str, Any]] = {**RecurrentSettings.training, "lr": 2e-3}

    activation: Literal["tanh", "relu"] = Field("tanh", description="What the hidden vector goes through.")


class GRUSettings(RecurrentSettings):
    """Settings of the gated recurrent unit."""

    architecture: ClassVar[str] = "gru"

    reset: Literal["before", "after"] = Field(
        "before", description="Where the reset gate acts: before the recurrent product (Cho) or after it (cuDNN)."
    )


class LSTMSettings(RecurrentSettings):
    """Settings of long short-term memory."""

    architecture: ClassVar[str] = "lstm"
    training: ClassVar[dict[str, Any]] = {**RecurrentSettings.training, "lr": 5e-3}

    forget_bias: float = Field(1.0, description="Added to the forget gate's bias at the start.")


class TransformerSettings(ModelSettings):
    """Settings of the transformer."""

    architecture: ClassVar[str] = "transformer"
    training: ClassVar[dict[str, Any]] = {
        "optimizer": "muon",
        "lr": 1.2e-2,
        "schedule": "cosine",
        "warmup": 0.05,
        "clip_norm": 1.0,
        "batch_size": 12,
        "sequence_length": 128,
        "weight_decay": 0.1,
    }

    layers: int = Field(4, ge=1, le=200, description="Layers, one above the other.")
    width: int = Field(128, ge=1, description="Entries of a token's vector on its way through the layers.")
    heads: int = Field(4, ge=1, description="Attention heads of a layer; they divide the width.")
    context: int = Field(
        128, ge=1, description="The longest reach into the past.", json_schema_extra={"unit": "tokens"}
    )
    feedforward: int | None = Field(
        None, ge=1, description="Width inside the feed-forward; none: 4 times the width, 8/3 times with swiglu."
    )
    norm: Literal["pre", "post"] = Field("pre", description="Norm before each sublayer, or after it.")
    normalization: Literal["layer", "rms"] = Field("layer", description="Layer norm or RMS norm.")
    norm_epsilon: float = Field(1e-5, gt=0, le=1, description="Added to a norm's variance before its root is taken.")
    final_norm: bool = Field(True, description="One more norm before the output.")
    positions: Literal["rotary", "learned", "sinusoidal", "none"] = Field(
        "rotary", description="How a token knows where it stands."
    )
    rotary_base: float = Field(
        10000.0, gt=1, description="Rotary positions: plane i of n turns by base^(-i/n) from one token to the next."
    )
    activation: Literal["gelu", "gelu_tanh", "relu", "relu2", "swiglu"] = Field(
        "gelu", description="Inside the feed-forward; gelu_tanh is gelu as GPT-2 approximates it."
    )
    attention_sublayers: int = Field(1, ge=1, le=2, description="Attention sublayers in each layer.")
    attention_bias: bool = Field(True, description="Biases of queries, keys, values and attention's output.")
    feedforward_bias: bool = Field(True, description="Biases of the feed-forward.")
    norm_bias: bool = Field(True, description="Biases of the norms.")
    output_bias: bool = Field(True, description="Bias of the output layer.")
    output: Literal["logits", "probabilities"] = Field(
        "logits",
        description="What goes to the loss, which takes the softmax; probabilities: a softmax before it, too, a common "
        "mistake that keeps the loss near ln(e + vocabulary - 1), for study.",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Share of entries dropped, but for attention weights.")
    dropout_embedding: float | None = Field(None, ge=0, lt=1, description="Dropout on the embedding; none: dropout.")
    dropout_words: float = WORDS
    dropout_residual: float | None = Field(None, ge=0, lt=1, description="Dropout on each sublayer; none: dropout.")
    dropout_feedforward: float | None = Field(
        None, ge=0, lt=1, description="Dropout inside the feed-forward; none: dropout."
    )
    dropout_attention: float = Field(0.0, ge=0, lt=1, description="Dropout on attention weights.")
    tied: bool = Field(False, description="The embedding's weight is the output layer's too.")
    scaled_embedding: bool = Field(False, description="The embedding times the square root of the width.")
    initialization: Literal["gpt2", "xavier", "torch"] = Field(
        "gpt2",
        description="Weights at the start: gaussian with deviation 0.02, less at the end of each sublayer; "
        "Xavier-uniform; torch's own.",
    )

    @model_validator(mode="after")
    def check(self) -> "TransformerSettings":
        if self.width % self.heads:
            fitting = [heads for heads in range(1, self.width + 1) if self.width % heads == 0]
            best = min(fitting, key=lambda heads: abs(heads - self.heads))
            raise ValueError(
                f"the heads must divide the width, but {self.heads} heads do not divide {self.width}; "
                f"{best} heads would, or a width of {math.ceil(self.width / self.heads) * self.heads}"
            )
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ValueError(
                f"rotary positions need heads of an even width, but {self.width} entries in {self.heads} heads give "
                f"heads of {self.width // self.heads}; change the width or the heads, or choose other positions"
            )
        return self

    @property
    def feedforward_width(self) -> int:
        """Width inside the feed-forward; with swiglu 8/3 times the width keeps the parameters of the usual 4 times."""
        if self.feedforward is not None:
            return self.feedforward
        return round(8 * self.width / 3) if self.activation == "swiglu" else 4 * self.width

    def rate(self, place: Literal["embedding", "residual", "feedforward"]) -> float:
        """The dropout at one place."""
        own: float | None = getattr(self, f"dropout_{place}")
        return self.dropout if own is None else own
