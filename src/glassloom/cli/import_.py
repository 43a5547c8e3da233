"""`glassloom import DIR --name NAME`: come with a model that was trained elsewhere."""

import shlex
import sys
from typing import Annotated

from glassloom.cli.options import DEBUG, JSON, RUNS, option, switch
from glassloom.cli.output import print_json, say


def import_(
    folder: str,
    /,
    *,
    name: Annotated[str, option("What the run is called.", "NAME")],
    corpus: Annotated[str | None, option("A text of the run's own: a path, or a listed name.", "TEXT")] = None,
    replace: Annotated[bool, switch("Replace a run of that name.")] = False,
    runs: RUNS = "runs",
    json: JSON = False,
    debug: DEBUG = False,
) -> None:
    """Make a run of a model folder of Hugging Face: GPT-2, Llama and their like, as safetensors.

    For example: glassloom import gpt2-folder --name gpt2
                 glassloom import my-llama --name llama --corpus novel.txt

    Parameters
    ----------
    folder
        The folder with config.json, the weights and tokenizer.json.
    """
    from glassloom.exchange.importing import import_model

    command = shlex.join(["glassloom", *sys.argv[1:]])
    run = import_model(folder, name, corpus=corpus, runs=runs, replace=replace, command=command)
    if json:
        print_json({"run": str(run.path), "model": run.config.architecture, "tokenizer": run.tokenizer.name})
    else:
        say(str(run.path))
