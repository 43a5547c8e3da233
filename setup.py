"""The recurrent kernels in C++, an optional extension: without a compiler the package installs and plain torch runs.

All else about the package stands in pyproject.toml.
"""

import os
import platform
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

FOLDER = "src/glassloom/native"
COMMON = ["-std=c++17", "-O2", "-fPIC", "-fno-math-errno", "-fno-trapping-math", "-fvisibility=hidden", "-Wno-psabi"]
AVX2 = ["-DVECTOR_BYTES=32", "-mavx2", "-mfma"]
AVX512 = ["-DVECTOR_BYTES=64", "-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]
SETS = {"portable": ["-DVECTOR_BYTES=16"]}  # also NEON, which every 64-bit Arm has
if platform.machine() in ("x86_64", "AMD64"):
    SETS |= {"avx2": AVX2, "avx512": AVX512, "avx512_bf16": [*AVX512, "-mavx512bf16"]}

EACH = {"kernels": [], "attention": [], "decode": ["-O3"]}  # compiled for every instruction set, with more flags
ONCE = ["entry", "decoders", "choice"]


class BuildKernels(build_ext):
    """Compile the kernels once for every instruction set, side by side, and link all together."""

    built = False

    def build_extension(self, extension: Extension) -> None:
        target = self.get_ext_fullpath(extension.name)
        os.makedirs(self.build_temp, exist_ok=True)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        compiler = [os.environ.get("CXX", "c++"), *COMMON]
        listed = "-DSETS=" + " ".join(f"X({name})" for name in SETS)
        commands = {name: [listed, f"{FOLDER}/{name}.cpp"] for name in ONCE}
        for name, flags in SETS.items():
            for source, more in EACH.items():
                commands[f"{name}-{source}"] = [*flags, *more, f"-DSET={name}", f"{FOLDER}/{source}.cpp"]
        objects = {name: os.path.join(self.build_temp, f"{name}.o") for name in commands}
        try:
            running = [subprocess.Popen([*compiler, *commands[name], "-c", "-o", objects[name]]) for name in commands]
            failed = [one.wait() for one in running]
            if any(failed):
                raise OSError("they did not compile")
            subprocess.run([*compiler, "-shared", *objects.values(), "-o", target, "-pthread"], check=True)
            self.built = True
        except (OSError, subprocess.CalledProcessError) as error:
            sys.stderr.write(f"The kernels were not built ({error}); plain torch does their work, and NumPy decodes.\n")

    def get_outputs(self) -> list[str]:
        return super().get_outputs() if self.built else []

    def get_output_mapping(self) -> dict[str, str]:
        return super().get_output_mapping() if self.built else {}

    def copy_extensions_to_source(self) -> None:
        if self.built:
            super().copy_extensions_to_source()


SOURCES = [f"{FOLDER}/{name}.cpp" for name in [*EACH, *ONCE]]
setup(
    ext_modules=[Extension("glassloom.native._native", sources=SOURCES, optional=True)],
    cmdclass={"build_ext": BuildKernels},
)
