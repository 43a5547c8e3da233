"""The example package `examples/outsider`, installed beside Glassloom as pip installs it, into a folder of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
OUTSIDER = ROOT / "examples" / "outsider"


def install(source: Path, folder: Path) -> Path:
    """Copy a package's sources and install them, without any index, into `folder`/lib, which is given back."""
    copy = shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns("build", "*.egg-info"))
    words = ["pip", "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--no-compile", "--target"]
    outcome = subprocess.run(
        [sys.executable, "-m", *words, str(folder / "lib"), str(copy)], capture_output=True, text=True
    )
    assert outcome.returncode == 0, outcome.stderr
    return folder / "lib"


def surroundings(lib: Path) -> dict[str, str]:
    """The environment of a process that finds what is installed there, and this Glassloom."""
    paths = [str(lib), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}


def named(folder: Path, package: str, points: dict[str, dict[str, str]], **files: str) -> Path:
    """A folder that looks as if a package of these files, with these entry points by group, were installed in it."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    about = folder / f"{package}-1.2.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n", encoding="utf-8")
    lines = [f"[{group}]\n" + "".join(f"{n} = {to}\n" for n, to in these.items()) for group, these in points.items()]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return folder
