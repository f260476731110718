"""What `fpho` shows to a user."""

import subprocess
import sys

import fpho

WANTED = {"fit", "open", "Fit", "Run", "Exposure", "InputError", "Flag", "load_config", "Config"}


def test_names():
    names = set(dir(fpho))
    assert WANTED <= names and len(names) <= 12
    for name in names:
        shown = getattr(fpho, name)
        assert name.startswith("__") or shown.__doc__


def test_names_of_loops_over_patches_stay():
    for name in ("LinkedSuperScene", "FITSPatch", "CPUPatchMixin", "run_lmc", "run_opt", "write_to_disk"):
        assert callable(getattr(fpho, name)) and name not in dir(fpho)


def test_import_is_fast():
    """Nothing numerical is imported before it is used."""
    code = "import sys, time; t = time.perf_counter(); import fpho; print(time.perf_counter() - t)\n"
    code += "dir(fpho); print(sorted({'numpy', 'astropy', 'numba', 'pydantic'} & set(sys.modules)))"
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(3)
    ]
    assert min(float(text.split()[0]) for text in runs) < 0.1
    assert all(text.splitlines()[1] == "[]" for text in runs)
