"""A Ray cluster of two nodes on this machine; nothing of it outlives the tests, or lies in the user's folders.

The second node has an address of its own (of the loopback), so that whoever joins the cluster joins its head.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from groups import free_port

MEMORY = {"object_store_memory": 80 * 2**20}


@dataclass
class TwoNodes:
    """A cluster with one CPU on each of two nodes."""

    cluster: Any
    second: Any
    client_port: int

    @property
    def address(self) -> str:
        """For a process on this machine."""
        return str(self.cluster.address)

    @property
    def client_address(self) -> str:
        """For a process anywhere."""
        return f"ray://127.0.0.1:{self.client_port}"

    def kill_second(self) -> None:
        """The second node goes as a machine does whose power fails."""
        self.cluster.remove_node(self.second, allow_graceful=False)


SLOWLY = """
import sys
import time


class Slowly:
    def find_spec(self, name, path, target=None):
        if name == "glassloom.comparison.ray_worker":
            sys.meta_path.remove(self)
            from torch.optim.optimizer import register_optimizer_step_post_hook

            register_optimizer_step_post_hook(lambda *given: time.sleep(0.01))


sys.meta_path.insert(0, Slowly())
"""
"""Every process of the cluster rests after each step: no run ends before the other's process has even started."""


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    """Start the cluster, and end it."""
    folder = tempfile.mkdtemp(prefix="ray-test-", dir="/tmp")  # Ray's sockets need a short path
    (Path(folder) / "ray").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        (Path(folder) / "sitecustomize.py").write_text(SLOWLY, encoding="utf-8")
        for name, value in {
            "PYTHONPATH": os.pathsep.join([folder, *filter(None, [os.environ.get("PYTHONPATH")])]),
            "RAY_TMPDIR": folder, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0", "OMP_NUM_THREADS": "1",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        port = free_port()
        head = {"num_cpus": 1, "ray_client_server_port": port, "include_dashboard": False, **MEMORY}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            second = cluster.add_node(num_cpus=1, node_ip_address="127.0.0.2", **MEMORY)
            yield TwoNodes(cluster, second, port)
        finally:
            cluster.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


def nodes_of(places: list[str]) -> set[str]:
    """The nodes among places such as `host (node 1a2b3c4d, process 4711)`."""
    return {place.split("(node ")[1].split(",")[0] for place in places}
