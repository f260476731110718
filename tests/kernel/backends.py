"""The backends that the tests of the kernel run on; one test file serves all.

Without a card the GPU's tests run in numba's CUDA simulator, in a process of their own (`test_gpu`), since
the simulator is chosen when numba is imported. It takes 0.2 s for a thread block: small scenes.
"""

import os
from shutil import which

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
CARD = which("nvidia-smi") is not None  # packages missing beside a card are an error, no reason to skip
BACKENDS = ["gpu"] if SIMULATED else ["cpu", "gpu"] if CARD else ["cpu"]

# Error of chi2 against the float64 reference. The CPU's shortcuts (`cpu.Shortcuts`) cost it a digit.
CHI2 = {"cpu": 1e-5, "gpu": 1e-6}
# And of the model, as a share of its peak.
MODEL = {"cpu": 1e-5, "gpu": 2e-6}


def sized(full, small):
    """A size for real processors, or for the simulator."""
    return small if SIMULATED else full


def name_of(kernel) -> str:
    """`cpu` or `gpu`."""
    return kernel.__name__.rpartition(".")[2]
