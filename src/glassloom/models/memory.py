"""What a transformer's state holds, row by row, and how it is cut and put together.

    position   tokens that the row has seen since it began
    recent     the last context/2 tokens, where positions have a table that ends (learned, sinusoidal); else empty
    pasts      for each attention sublayer the keys and values of the last tokens

The newest key stands last. A row that began later than others holds fewer keys than there are columns: only its last
`position` columns count, whatever stands before them.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from glassloom.models.attention import Past


@dataclass(frozen=True)
class Memory:
    """A transformer's state with names; `State` is the same as one tuple."""

    position: Int[Tensor, " batch"]
    recent: Int[Tensor, "batch recent"]
    pasts: tuple[Past, ...]

    @classmethod
    def unpack(cls, state: tuple[Tensor, ...]) -> "Memory":
        position, recent, *rest = state
        return cls(position, recent, tuple(zip(rest[::2], rest[1::2], strict=True)))

    def pack(self) -> tuple[Tensor, ...]:
        return (self.position, self.recent, *(part for past in self.pasts for part in past))

    @property
    def keys(self) -> int:
        """Columns of keys."""
        return self.pasts[0][0].shape[2]

    def last(self, keys: int) -> "Memory":
        """The memory with at most the last so many keys."""
        skip = max(self.keys - keys, 0)
        return Memory(self.position, self.recent, tuple((k[:, :, skip:], v[:, :, skip:]) for k, v in self.pasts))

    def rows(self, chosen: Int[Tensor, " rows"]) -> "Memory":
        """The memory of the chosen rows."""
        pasts = tuple((k[chosen], v[chosen]) for k, v in self.pasts)
        return Memory(self.position[chosen], self.recent[chosen], pasts)


def visible(position: Int[Tensor, " batch"], keys: int, time: int, context: int) -> Bool[Tensor, "batch 1 time all"]:
    """What `time` new tokens see of `keys` kept ones and themselves: at most `context`, their own row's only."""
    query = torch.arange(keys, keys + time, device=position.device)[:, None]
    key = torch.arange(keys + time, device=position.device)
    near = (key <= query) & (key > query - context)
    return (near & (key >= keys - position[:, None, None]))[:, None]


def join(parts: list[Memory], rows: list[Tensor]) -> Memory:
    """Memories of disjoint sets of rows as one, the shorter ones filled with zeros in front."""
    order = torch.cat(rows).argsort()

    def joined(tensors: list[Tensor], axis: int) -> Tensor:
        length = max(tensor.shape[axis] for tensor in tensors)
        filled = []
        for tensor in tensors:
            front = list(tensor.shape)
            front[axis] = length - tensor.shape[axis]
            filled.append(torch.cat([tensor.new_zeros(front), tensor], axis))
        return torch.cat(filled)[order]

    pasts = tuple(
        (joined([part.pasts[i][0] for part in parts], 2), joined([part.pasts[i][1] for part in parts], 2))
        for i in range(len(parts[0].pasts))
    )
    position = torch.cat([part.position for part in parts])[order]
    return Memory(position, joined([part.recent for part in parts], 1), pasts)
