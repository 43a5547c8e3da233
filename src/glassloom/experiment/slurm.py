"""A recipe as a job array of Slurm, for clusters that have nothing else: every run a task of its own.

Three scripts are written into `OUT/slurm/`: `runs.sh` is the array, `page.sh` writes the page when all have ended, and
`submit.sh` hands both in. A run whose time is up is told so before (`--signal`), saves, and is queued again; one whose
machine died is queued again by Slurm. Both go on from the last checkpoint.
"""

import shlex
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from glassloom.comparison.places import Where
from glassloom.errors import InputError, SettingError
from glassloom.experiment.planning import plan
from glassloom.experiment.run import found_at
from glassloom.recipes import Recipe
from glassloom.runs import load_run
from glassloom.storage import replace_file, storing

SAVE_SECONDS = 120
"""How long before its time is over a run is told to save."""

RUNS = """#!/bin/bash
# {count} runs of {recipe}, each a task of this array: bash submit.sh hands it in.
# Time, partition and account are your cluster's: give them to submit.sh (bash submit.sh --time=4:00:00
# --partition=short), or add lines here.
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{at_once}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}{gpus}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@{seconds}
#SBATCH --output={log}

runs=({ids})
run=${{runs[$SLURM_ARRAY_TASK_ID]}}
export OMP_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-{cpus}}}
cd {folder} || exit 1

{command} --stage train --only "$run" &
training=$!
trap 'time_is_up=1; kill -TERM $training' USR1  # it saves, and is queued again below
trap 'kill -TERM $training' TERM                # cancelled: it saves
wait $training; code=$?
while kill -0 $training 2> /dev/null; do wait $training; code=$?; done  # a signal ends `wait`, not the training
if [ -n "$time_is_up" ] && [ $code -eq 143 ]; then
  exec scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
fi
exit $code
"""

PAGE = """#!/bin/bash
# The page of {recipe}, of the runs that are there.
#SBATCH --job-name={name}-page
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
#SBATCH --output={log}

export OMP_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-{cpus}}}
cd {folder} || exit 1
exec {command} --stage page
"""

SUBMIT = """#!/bin/bash
# Hand in all runs of {recipe}, and its page for when they have ended; what is given here is given to sbatch.
set -e
job=$(sbatch --parsable "$@" {runs})
job=${{job%%;*}}
echo "runs: job $job"
sbatch --dependency=afterany:"$job" "$@" {page}
"""


def write_submit_scripts(
    recipe: Recipe | str | Path,
    out: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    epochs: float | None = None,
    quick: bool = False,
    tensorboard: bool = False,
    jobs: int | None = None,
    cpus: int | None = None,
    gpus: float | None = None,
) -> Path:
    """Write the scripts for what `run_recipe` would train here, and return `submit.sh`; nothing is trained.

    Raises:
        InputError: an unknown recipe or run, everything is finished, CPUs or GPUs that cannot be.
        StorageError: `out` cannot be written.
    """
    source = recipe if isinstance(recipe, (str, Path)) else None
    Where("ray", jobs, cpus, gpus).check()
    if gpus is not None and gpus != int(gpus):
        raise SettingError(f"gpus cannot be {gpus:g}", "a whole number: Slurm shares none", "change --gpus")
    found, folder = found_at(recipe, out, quick)
    ids = [run.id for run in plan(found, only=only, epochs=epochs, quick=quick).runs if not is_finished(folder, run.id)]
    if not ids:
        raise InputError(f"All runs of {found.name} in {folder} are finished", "one that is not", "drop --on slurm")
    folder = folder.resolve()
    at = folder / "slurm"
    with storing(folder):
        at.mkdir(parents=True, exist_ok=True)
    file = Path(str(source)) if source is not None else None
    named = str(file.resolve()) if file is not None and file.is_file() else found.name
    words = [sys.executable, "-P", "-m", "glassloom", "run", named, "--out", str(folder)]
    options = ["--quick"] * quick + ["--tensorboard"] * tensorboard
    options += ["--epochs", f"{epochs:g}"] if epochs is not None else []
    said = {
        "recipe": found.name, "name": found.name, "cpus": cpus or 1, "folder": shlex.quote(str(Path.cwd())),
    }  # fmt: skip
    runs = RUNS.format(
        **said, count=len(ids), last=len(ids) - 1, at_once=f"%{jobs}" if jobs else "", seconds=SAVE_SECONDS,
        gpus=f"\n#SBATCH --gpus-per-task={gpus:g}" if gpus else "", log=at / "%A_%a.log",
        ids=" ".join(shlex.quote(id) for id in ids), command=shlex.join([*words, *options]),
    )  # fmt: skip
    page = PAGE.format(
        **said, log=at / "page.log", command=shlex.join([*words, *(["--quick"] * quick)])
    )  # fmt: skip
    submit = SUBMIT.format(
        recipe=found.name, runs=shlex.quote(str(at / "runs.sh")), page=shlex.quote(str(at / "page.sh"))
    )
    for name, text in (("runs.sh", runs), ("page.sh", page), ("submit.sh", submit)):
        replace_file(at / name, text.encode())
        with storing(at):
            (at / name).chmod((at / name).stat().st_mode | stat.S_IXUSR)
    return at / "submit.sh"


def is_finished(folder: Path, id: str) -> bool:
    """Whether a run is there and has ended with its budget."""
    try:
        return (load_run(folder / id).result() or {}).get("status") == "finished"
    except InputError:
        return False
