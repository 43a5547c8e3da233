"""The process that computes baselines beside a training: it waits its turn, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from glassloom.data import Corpus, DataSettings, load_text
from glassloom.data.baselines import METHODS, BaselineJob, baselines
from glassloom.errors import Notice


@pytest.fixture
def corpus(tiny_text: str, tmp_path: Path) -> Corpus:
    return load_text(tiny_text, DataSettings(split="90,10"), cache=tmp_path)


def process_facts(pid: int) -> tuple[str, str]:
    """A process's state and niceness; empty where it is gone."""
    if Path("/proc/self/stat").exists():
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return "", ""
        return after_name[0], after_name[16]
    said = subprocess.run(["ps", "-o", "stat=,ni=", "-p", str(pid)], capture_output=True, text=True).stdout.split()
    return (said[0][0], said[1]) if said else ("", "")


def until(claim: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether the claim comes true in time."""
    end = time.monotonic() + seconds
    while not (true := claim()) and time.monotonic() < end:
        time.sleep(0.05)
    return true


def test_a_job_computes_the_same_in_a_process_of_low_priority_and_leaves_none_behind(corpus: Corpus) -> None:
    lock = FileLock(corpus.cache / "baselines-valid.lock")
    with lock:  # another process is computing: the job waits for it
        job = BaselineJob.start(corpus)
        pid = job._process.pid
        assert until(lambda: process_facts(pid)[1] == "19")
        assert job.is_running
        assert job.wait(timeout=0.2) == {}
    found = job.wait(timeout=60)
    assert list(found) == list(METHODS)
    assert not job.is_running
    assert process_facts(pid) == ("", "")
    assert found == baselines(corpus)
    again = BaselineJob.start(corpus)
    assert again._process is None
    assert again.ready() == found
    again.stop()


def test_a_stopped_or_forgotten_job_leaves_no_process(corpus: Corpus) -> None:
    with FileLock(corpus.cache / "baselines-valid.lock"):
        job = BaselineJob.start(corpus)
        pid = job._process.pid
        job.stop()
        assert process_facts(pid) == ("", "")
        job.stop()
        assert job.ready() == {}
        forgotten = BaselineJob.start(corpus)
        pid = forgotten._process.pid
        del forgotten
        assert process_facts(pid) == ("", "")
    assert list(baselines(corpus)) == list(METHODS)


def test_a_job_ends_when_its_parent_is_killed(corpus: Corpus, tiny_text: str, tmp_path: Path) -> None:
    code = """if True:
        import sys, time
        from pathlib import Path
        from glassloom.data import DataSettings, load_text
        from glassloom.data.baselines import BaselineJob
        text, cache = Path(sys.argv[1]).read_text(encoding="utf-8"), Path(sys.argv[2])
        job = BaselineJob.start(load_text(text, DataSettings(split="90,10"), cache=cache))
        sys.stdout.write(f"{job._process.pid}\\n")
        sys.stdout.flush()
        time.sleep(60)
    """
    path = tmp_path / "text.txt"
    path.write_text(tiny_text, encoding="utf-8")
    with FileLock(corpus.cache / "baselines-valid.lock"):
        command = [sys.executable, "-c", code, str(path), str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            pid = int(parent.stdout.readline())
            assert until(lambda: process_facts(pid)[1] == "19")
            os.kill(parent.pid, signal.SIGKILL)
        # Gone, or dead and waiting for whoever inherited it to say so.
        assert until(lambda: process_facts(pid)[0] in ("", "Z"))


def test_a_job_that_fails_says_why_once(corpus: Corpus) -> None:
    (corpus.cache / "facts.json").unlink()
    with BaselineJob.start(corpus) as job:
        with pytest.warns(Notice, match="Not all baselines could be computed: .*no prepared corpus"):
            assert job.wait(timeout=60) == {}
        assert job.ready() == {}
