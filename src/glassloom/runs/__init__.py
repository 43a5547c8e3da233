"""Run folders: create, open, commit a checkpoint, resume, lock. The only room that knows their file names."""

from glassloom.runs.checkpoint import Checkpoint, declared_shapes, load_weights
from glassloom.runs.choosing import checkpoint_of, has_diverged
from glassloom.runs.documents import to_json
from glassloom.runs.following import Following
from glassloom.runs.own_text import own_corpus
from glassloom.runs.run import Run, check_free, check_name, create_run, list_runs, load_run, matching_runs
from glassloom.storage import replace_file, storing

__all__ = [
    "Checkpoint",
    "Following",
    "Run",
    "check_free",
    "check_name",
    "checkpoint_of",
    "create_run",
    "declared_shapes",
    "has_diverged",
    "list_runs",
    "load_run",
    "load_weights",
    "matching_runs",
    "own_corpus",
    "replace_file",
    "storing",
    "to_json",
]
