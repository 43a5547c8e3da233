"""A running average of the weights (EMA): often a better model than the last step's, at the price of one copy."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.errors import RunError


class WeightAverage:
    """The exponential moving average of a model's parameters.

    After t updates it is sum_i decay^(t-i) w_i / sum_i decay^(t-i): the weights at the start of training, which an
    average begun from them would keep for long, have no part in it (the bias correction of Kingma & Ba, 2015, sec. 3).

    >>> layer = nn.Linear(1, 1)
    >>> average = WeightAverage(layer, decay=0.99)
    >>> average.update()
    >>> with average.applied():
    ...     pass  # evaluate
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self._weights = dict(model.named_parameters())
        self._shadow = {name: weights.detach().clone() for name, weights in self._weights.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the present weights; once after each update of them."""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        torch._foreach_lerp_(list(self._shadow.values()), list(self._weights.values()), share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model has the averaged weights while the block runs, and afterwards exactly its own again."""
        own = {name: weights.detach().clone() for name, weights in self._weights.items()}
        self._copy(self._shadow)
        try:
            yield
        finally:
            self._copy(own)

    @torch.no_grad()
    def _copy(self, values: Mapping[str, Tensor]) -> None:
        for name, weights in self._weights.items():
            weights.copy_(values[name])

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The averaged weights by parameter name (not copies), and numbers that fit into JSON."""
        return dict(self._shadow), {"updates": self.updates}

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Go on from what `state` returned. Raises RunError where it is another model's."""
        for name, shadow in self._shadow.items():
            if name not in tensors or tensors[name].shape != shadow.shape:
                raise RunError(
                    f"The saved average of the weights does not fit {name}",
                    f"a tensor of shape {tuple(shadow.shape)}",
                    "continue with the model that the run began with",
                )
        for name, shadow in self._shadow.items():
            shadow.copy_(tensors[name])
        self.updates = int(numbers["updates"])
