"""A worker's share of a tensor that is cut over several along its first axis (torch's DTensor), and the way back.

Any other tensor is its own share, and whole.
"""

import torch
from torch import Tensor


def is_cut(tensor: Tensor) -> bool:
    """Whether each worker holds only a share of it."""
    return hasattr(tensor, "to_local")


def own(tensor: Tensor) -> Tensor:
    """This worker's share."""
    share: Tensor = tensor.to_local() if hasattr(tensor, "to_local") else tensor
    return share


def whole(tensor: Tensor) -> Tensor:
    """All shares together; every worker must ask."""
    together: Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return together


def share_of(share: Tensor, like: Tensor) -> Tensor:
    """Shares of every worker as one tensor, cut as another one is."""
    if not is_cut(like):
        return share
    from torch.distributed.tensor import DTensor

    mesh, placements = like.device_mesh, like.placements  # type: ignore[attr-defined]
    return DTensor.from_local(share, mesh, placements, run_check=False, shape=like.shape, stride=like.stride())


def rows_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Of a whole tensor that this worker has: the rows that are its share of another one."""
    if not is_cut(like):
        return tensor
    mesh = like.device_mesh  # type: ignore[attr-defined]
    rows = -(-len(tensor) // mesh.size())
    begin = min(mesh.get_local_rank() * rows, len(tensor))
    return tensor[begin : begin + rows]


def cut_like(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor that every worker has, cut as another one is; a scalar stays whole."""
    if not is_cut(like) or not tensor.ndim:
        return tensor
    return share_of(torch.clone(rows_like(tensor, like)).to(like.device), like)
