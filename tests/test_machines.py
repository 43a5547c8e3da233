"""Two machines: two of torchrun's agents that meet by a rendezvous, on one address or each with its own network."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from glassloom.runs import load_run
from groups import free_port
from trainings import small, stream, train

FLAGS = (
    *("--model", "gru", "--width", "8", "--layers", "1", "--batch-size", "4", "--sequence-length", "8", "--steps", "6"),
    *("--eval-every", "3", "--eval-tokens", "100", "--sample-length", "4", "--threads", "1", "--dropout", "0"),
    *("--lr", "0.01", "--schedule", "constant", "--precision", "float64", "--name", "two"),
)


def agent(text: Path, host: str, port: int, *before: str, **told: str) -> "subprocess.Popen[str]":
    """One machine's torchrun, with one worker."""
    started = [
        *before, sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1",
        "--rdzv-id", text.parent.name, "--rdzv-backend", "c10d", "--rdzv-endpoint", f"{host}:{port}",
    ]  # fmt: skip
    if "local" in told:  # in a network of its own the machine's name leads elsewhere
        local = told.pop("local")
        started += ["--local-addr", local, "--rdzv-conf", f"is_host={int(local == host)}"]
    started += ["-m", "glassloom", "train", str(text), *FLAGS]
    where = {**os.environ, "OMP_NUM_THREADS": "1", "GLASSLOOM_WORKER_TIMEOUT": "100", **told}
    return subprocess.Popen(
        started, cwd=text.parent, env=where, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def assert_two_machines_trained_as_one(agents: list["subprocess.Popen[str]"], text: Path) -> None:
    """Both end well, one of them speaks, and the weights are those of a single process."""
    said = [started.communicate(timeout=240) for started in agents]
    assert [started.returncode for started in agents] == [0, 0], said
    assert sum(err.count("finished after") for _, err in said) == 1
    assert sum(out.count("nats per token") for out, _ in said) == 1
    given = small(steps=6, eval_every=3, dropout=0, precision="float64")
    alone = train(stream(text.read_text(encoding="utf-8")), text.parent, "alone", **given).run
    two = load_run(text.parent / "runs" / "two")
    assert two.environment["workers"]["size"] == 2
    for name, weights in alone.newest().weights().items():
        torch.testing.assert_close(two.newest().weights()[name], weights, rtol=0, atol=1e-10)


@pytest.fixture
def text(tmp_path: Path, tiny_text: str) -> Path:
    """A small text that both machines see."""
    file = tmp_path / "text.txt"
    file.write_text(tiny_text[:3000], encoding="utf-8")
    return file


@pytest.mark.long
def test_two_agents_meet_at_a_port_and_train_one_model(text: Path) -> None:
    port = free_port()
    assert_two_machines_trained_as_one([agent(text, "127.0.0.1", port) for _ in range(2)], text)


@contextmanager
def two_networks() -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """Two network namespaces with a cable between them: of each its name and its device's."""
    mark = uuid.uuid4().hex[:6]
    sides = tuple((f"gl{mark}{side}", f"ve{mark}{side}") for side in "ab")

    def ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    try:
        for space, _ in sides:
            ip("netns", "add", space)
        ip("link", "add", sides[0][1], "netns", sides[0][0], "type", "veth", "peer", sides[1][1], "netns", sides[1][0])
        for number, (space, device) in enumerate(sides, start=1):
            ip("-n", space, "addr", "add", f"10.77.0.{number}/24", "dev", device)
            for name in ("lo", device):
                ip("-n", space, "link", "set", name, "up")
        yield sides  # type: ignore[misc]
    finally:
        for space, _ in sides:
            with suppress(subprocess.CalledProcessError):
                ip("netns", "del", space)


def can_make_networks() -> bool:
    """Whether this user may make network namespaces here."""
    try:
        with two_networks():
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@pytest.mark.long
def test_two_networks_with_a_cable_between_them_train_one_model(text: Path) -> None:
    if not can_make_networks():
        pytest.skip("network namespaces need Linux, iproute2 and root; two agents on one address are tested above")
    with two_networks() as sides:
        agents = [
            agent(
                text, "10.77.0.1", 29500, "ip", "netns", "exec", space,
                local=f"10.77.0.{number}", GLOO_SOCKET_IFNAME=device,
            )
            for number, (space, device) in enumerate(sides, start=1)
        ]  # fmt: skip
        assert_two_machines_trained_as_one(agents, text)
