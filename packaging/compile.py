"""Compiles what every event goes through, decoding and following, in a folder that has `ami_planfix`.

The sources stay beside it, and do the same more slowly where they are not compiled. Needs mypy, setuptools, a C
compiler and Python's headers; what runs it later needs none of these.
"""

import argparse
import contextlib
import shutil
import tempfile
from pathlib import Path

from mypyc.build import mypycify
from setuptools import Distribution

NOUNS = {"__init__.py", "events.py", "reports.py"}
"""Their types are read when the program runs, by pydantic for one; what they do is done by Python's own tuples."""


def modules() -> list[str]:
    """Name what is compiled, as paths in the folder where we are."""
    ami = (f"ami_planfix/ami/{name}.py" for name in ("decode", "wanted", "wire"))
    calls = (str(path) for path in Path("ami_planfix/calls").glob("*.py") if path.name not in NOUNS)
    return sorted([*ami, *calls])


def compile_in(folder: Path) -> None:
    """Put the compiled modules beside their sources."""
    with tempfile.TemporaryDirectory() as made, contextlib.chdir(made):
        # Alone: beside libraries that are installed in the folder, mypy would take these for ours.
        shutil.copytree(folder / "ami_planfix", "ami_planfix", ignore=shutil.ignore_patterns("*.so"))
        options = ["--config-file=", "--ignore-missing-imports"]
        extensions = mypycify(
            [*options, *modules()], opt_level="3", debug_level="0", target_dir="c", group_name="ami_planfix"
        )
        for extension in extensions:
            extension.extra_link_args.append("-Wl,--strip-all")
        build = Distribution({"ext_modules": extensions}).get_command_obj("build_ext")
        build.build_lib, build.build_temp = "compiled", "objects"
        build.ensure_finalized()
        build.run()
        shutil.copytree("compiled", folder, dirs_exist_ok=True)


def main() -> None:
    """Compile in the folder that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="which has the folder `ami_planfix`")
    folder = parser.parse_args().folder.resolve()
    if not (folder / "ami_planfix").is_dir():
        parser.error(f"{folder} has no folder `ami_planfix`")
    compile_in(folder)


if __name__ == "__main__":
    main()
