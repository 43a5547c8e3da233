"""One run in full, for its own page: settings, text, checkpoints, how it ended, what it wrote on the way."""

from contextlib import suppress
from typing import Any

from glassloom.comparison.seeds import flat
from glassloom.errors import GlassloomError
from glassloom.runs import Run
from glassloom.studio.trainings import budget_of
from glassloom.views.labelled import plain

SAMPLES = 6
"""The newest samples that are told."""


def run_facts(run: Run) -> dict[str, Any]:
    """Everything about a run that its files say. What cannot be read is left out, and `problem` says why.

    Raises:
        RunError: not even its settings can be read.
    """
    config = run.config.as_dict()
    told: dict[str, Any] = {"model": run.config.architecture, "settings": {name: config[name] for name in config}}
    told |= {"problem": "", "corpus": {}, "environment": {}, "result": None, "checkpoints": [], "samples": []}
    told |= {"budget": None, "memorises": run.config.data.memorises}
    try:
        told["corpus"] = {key: value for key, value in run.corpus.items() if key != "fingerprint"}
        told["state"] = run.state()
        told["result"] = run.result()
        told["checkpoints"] = [{"step": one.step, **progress_of(one)} for one in run.checkpoints()]
        told["samples"] = run.samples()[-SAMPLES:][::-1]
        told["environment"] = run.environment
        told["budget"] = budget_of(run)
    except (GlassloomError, OSError, KeyError, TypeError, ValueError) as error:
        told["problem"] = str(error)
    told["settings"] = flat(told["settings"])
    return plain(told)


def progress_of(checkpoint: Any) -> dict[str, Any]:
    """What a checkpoint says of its loss; nothing where it is damaged."""
    with suppress(GlassloomError, OSError):
        progress = checkpoint.progress()
        return {"valid_nats": progress.get("valid_nats"), "seconds": progress.get("seconds")}
    return {}
