"""Reach a Ray cluster, or start one on this machine; Ray is an optional package, imported here and nowhere at the top.

Whoever can reach a cluster's ports runs code on it: Ray sends functions and data as pickles among its processes. The
Ray that is started here listens with a secret of its own, which is written to no file.
"""

import importlib
import importlib.util
import os
import secrets
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassloom.comparison.places import Where
from glassloom.errors import InputError, SettingError
from glassloom.training.machine import logical_cores

ANSWER_SECONDS = 5.0
TRIALS, BUSY = 3, "Initialization failure from server"
"""A busy head that has not started a client's process in time says so; it is asked again."""
STORE_BYTES = 2**28
"""Of the memory that a Ray of our own keeps for what its processes share: the texts as ids."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is sent home
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns at every start
    "RAY_LOG_TO_STDERR": "0",
}


@dataclass(frozen=True)
class Machine:
    """What a machine of the cluster has in all."""

    name: str
    cpus: float
    gpus: float

    def room(self, cpus: int, gpus: float) -> int:
        """How many runs with so much each fit there at once."""
        by_gpus = int(self.gpus / gpus + 1e-9) if gpus else 10**9
        return min(int(self.cpus / cpus + 1e-9), by_gpus)


def check_ray() -> None:
    """Whether Ray is there.

    Raises:
        InputError: it is not installed.
    """
    if importlib.util.find_spec("ray") is None:
        raise InputError(
            "Runs cannot be carried out on Ray, which is not installed",
            "the extra of that name",
            "install it with pip install 'glassloom[ray]', or drop --on",
        )


def check_answers(address: str) -> None:
    """Whether anything listens at `ray://HOST:PORT` or `HOST:PORT`: Ray itself would try for half a minute.

    Raises:
        InputError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"Nobody answers at {address} ({getattr(error, 'strerror', None) or error})",
            "the address of a running Ray cluster",
            "start one with `ray start --head --ray-client-server-port 10001`, or change --on",
        ) from None


@contextmanager
def joined(where: Where) -> Iterator[Any]:
    """The module `ray`, connected while the block runs; a Ray that the caller has connected already is left as it is.

    Raises:
        InputError: Ray is not installed, or nobody answers at the address.
    """
    check_ray()
    address = where.address
    if address is not None:
        check_answers(address)
    with surroundings(own=address is None):
        import ray

        if ray.is_initialized():
            yield ray
            return
        with (
            unprinted(),
            tempfile.TemporaryDirectory(prefix="glassloom-ray-", dir=short_folder(), ignore_cleanup_errors=True) as at,
        ):
            connect(ray, address, at)
            try:
                yield ray
            finally:
                ray.shutdown()


def connect(ray: Any, address: str | None, folder: str) -> None:
    """Start Ray in a folder, or join the cluster at an address.

    Raises:
        InputError: that is not to be done.
    """
    for trial in range(TRIALS):
        try:
            with handlers_kept(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if address is None:
                    ray.init(
                        address="local", num_cpus=logical_cores(), include_dashboard=False, log_to_driver=False,
                        logging_level="ERROR", object_store_memory=STORE_BYTES, _temp_dir=folder,
                    )  # fmt: skip
                else:
                    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            return
        except Exception as error:  # Ray raises whatever it meets
            ray.shutdown()
            if BUSY not in str(error) or trial == TRIALS - 1:
                raise unreachable(address, error) from error


def unreachable(address: str | None, error: Exception) -> InputError:
    """Why a cluster cannot be used, in one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    said = " ... ".join(dict.fromkeys([lines[0], lines[-1]])).rstrip(".:")[:300]
    if address is None:
        return InputError(f"Ray could not be started here: {said}", "a Ray that starts", "see what `ray start` says")
    return InputError(
        f"The Ray cluster at {address} cannot be joined: {said}",
        "a running cluster with the same versions of Ray and Python",
        "see what `ray status` says there, or change --on",
    )


@contextmanager
def surroundings(own: bool) -> Iterator[None]:
    """The environment that Ray reads when it starts, as it was afterwards."""
    given = dict(QUIET)
    if own and not {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & set(os.environ):
        given |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    added = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def unprinted() -> Iterator[None]:
    """Keep Ray from printing pages of a lost machine's state on standard output, where a command's JSON stands.

    It has no setting for that (`log_to_driver` is another matter), so its function is put aside where there is one;
    what was lost is told by the crew.
    """
    module = importlib.import_module("ray._private.worker")
    before = getattr(module, "print_to_stdstream", None)
    if before is not None:
        module.print_to_stdstream = lambda *_, **__: None  # type: ignore[attr-defined]
    try:
        yield
    finally:
        if before is not None:
            module.print_to_stdstream = before  # type: ignore[attr-defined]


@contextmanager
def handlers_kept() -> Iterator[None]:
    """Signals mean afterwards what they meant before: Ray takes SIGTERM for itself."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def short_folder() -> str | None:
    """Where Ray may keep its sockets, whose paths must be short; None for the system's own choice."""
    return "/tmp" if os.access("/tmp", os.W_OK) else None


def machines(ray: Any) -> list[Machine]:
    """The machines of the cluster that are up."""
    return [
        Machine(node["NodeManagerHostname"], node["Resources"].get("CPU", 0.0), node["Resources"].get("GPU", 0.0))
        for node in ray.nodes()
        if node["Alive"]
    ]


def head_of(ray: Any) -> str:
    """The id of the cluster's head, which must outlive every other machine; where none is marked, of the one here."""
    marked = [node["NodeID"] for node in ray.nodes() if node["Alive"] and "node:__internal_head__" in node["Resources"]]
    return str(marked[0] if marked else ray.get_runtime_context().get_node_id())


def check_fits(found: list[Machine], cpus: int, gpus: float) -> None:
    """Whether some machine can carry one run.

    Raises:
        SettingError: none has so many CPUs and GPUs.
    """
    if any(machine.room(cpus, gpus) for machine in found):
        return
    asked = f"{cpus} CPUs" + (f" and {gpus:g} GPUs" if gpus else "")
    there = nearest_machine(found, gpus)
    raise SettingError(
        f"A run is to have {asked}, and no machine of the cluster has",
        f"at most what one machine has: {there}",
        "lower --cpus or --gpus" if gpus else "lower --cpus",
    )


def nearest_machine(found: list[Machine], gpus: float) -> str:
    """The largest machine, in words."""
    if not found:
        return "none is up"
    best = max(found, key=lambda machine: (machine.gpus, machine.cpus) if gpus else (machine.cpus, machine.gpus))
    return f"{best.cpus:g} CPUs and {best.gpus:g} GPUs on {best.name}"


def marked(root: Path) -> Path:
    """A new file under the runs' folder, by which other machines find out whether they see it."""
    return root / f".seen-{secrets.token_hex(8)}"
