"""Native sources compiled with every warning an error and with the sanitizers of addresses and undefined behaviour."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from glassloom.kernels import native

FOLDER = Path(__file__).parents[1] / "src" / "glassloom" / "native"
AVX512 = ["-DVECTOR_BYTES=64", *(f"-mavx512{part}" for part in ("f", "bw", "dq", "vl", "bf16")), "-mfma"]
INSTRUCTIONS = {
    "portable": ["-DVECTOR_BYTES=16"],
    "avx2": ["-DVECTOR_BYTES=32", "-mavx2", "-mfma"],
    "avx512_bf16": [*AVX512, "-Wno-maybe-uninitialized"],  # GCC 12 warns of its own header's undefined vectors
}
"""The flags of an instruction set, the widest with the narrower ones' code among them."""
STRICT = ["c++", "-std=c++17", "-O0", "-g1", "-Wall", "-Wextra", "-Werror", "-Wno-psabi", f"-I{FOLDER}"]
STRICT += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def run_driver(driver: str, each: Iterable[str], once: Iterable[str], asked: Iterable[str], folder: Path) -> int:
    """Compile a driver of this folder with sources for each set and once; its count of cases, a share for each set.

    `asked`: the instruction sets, of which those are taken that run here. Whatever a sanitizer finds fails.
    """
    sets = [name for name in asked if native.LIBRARY is not None and name in native.LIBRARY.sets]
    objects = []
    for name in sets:
        for source in each:
            objects.append(str(folder / f"{source}-{name}.o"))
            command = [*STRICT, *INSTRUCTIONS[name], f"-DSET={name}", "-c", str(FOLDER / f"{source}.cpp")]
            subprocess.run([*command, "-o", objects[-1]], check=True)
    listed = "-DSETS=" + " ".join(f"X({name})" for name in sets)
    sources = [str(Path(__file__).parent / driver), *(str(FOLDER / f"{name}.cpp") for name in once)]
    program = str(folder / "driver")
    subprocess.run([*STRICT, listed, *sources, *objects, "-pthread", "-o", program], check=True)
    ran = subprocess.run([program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert sets
    assert int(ran.stdout) % len(sets) == 0
    return int(ran.stdout) // len(sets)
