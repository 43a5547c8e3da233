"""Every Glassloom model as a class of the transformers library; importing this file makes it known there.

    import glassloom.exchange.huggingface
    model = AutoModelForCausalLM.from_pretrained("exported-folder")

No `trust_remote_code`: the class lies in this package, the folder holds data only. `generate` carries the model's state
on, so that each token is read once, whatever the architecture.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from glassloom.exchange.folder import MODEL_TYPE
from glassloom.exchange.packages import package
from glassloom.models import build, settings_of
from glassloom.models.contract import State

package("transformers", "A model as a class of transformers")

from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedConfig, PreTrainedModel  # noqa: E402
from transformers.utils import ModelOutput  # noqa: E402


class GlassloomConfig(PreTrainedConfig):
    """What config.json holds: the architecture's name, its settings, and the size of the vocabulary."""

    model_type = MODEL_TYPE
    architecture: str = "gru"
    settings: dict | None = None
    vocab_size: int = 1
    tie_word_embeddings: bool = False
    """Ours are one parameter where they are tied, so that there is nothing to tie."""


@dataclass
class GlassloomOutput(ModelOutput):
    """Logits, the state after the last token, and the mean loss where labels were given."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    state: State | None = None


class GlassloomForCausalLM(PreTrainedModel, GenerationMixin):
    """A model of ours behind the interface of that library."""

    config_class = GlassloomConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    _is_stateful = True

    def __init__(self, config: GlassloomConfig) -> None:
        super().__init__(config)
        settings = settings_of(config.architecture).model_validate(config.settings or {})
        self.model = build(settings, config.vocab_size)
        self.post_init()

    def _init_weights(self, module: torch.nn.Module) -> None:
        """Nothing: `build` has done it."""

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        state: State | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> GlassloomOutput:
        """Logits after each token. A state from before goes on with that text; rows of unlike lengths are refused.

        Raises:
            ValueError: the mask leaves out tokens, which a model with a state would read nevertheless.
        """
        if attention_mask is not None and not bool(attention_mask.all()):
            raise ValueError("A Glassloom model reads no padding: give texts of one length, or one at a time.")
        logits, after = self.model(input_ids, state)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        return GlassloomOutput(loss=loss, logits=logits, state=after)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, state: State | None = None, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """With a state only the last token is new."""
        new = input_ids if state is None else input_ids[:, -1:]
        return {"input_ids": new, "state": state, "attention_mask": attention_mask}


AutoConfig.register(MODEL_TYPE, GlassloomConfig, exist_ok=True)
AutoModelForCausalLM.register(GlassloomConfig, GlassloomForCausalLM, exist_ok=True)
