"""All kernels of the GPU once, on the smallest scenes: what a memory checker runs (`gpu_check.sh`).

Two patches of different shapes in one batch, a model and a Fisher matrix; chi2 is held against the CPU's.
"""

import numpy as np
import scenes

from fpho.kernel import cpu, gpu

scenes.SCENES |= {"small": (2, 1, 1, 16), "one tile": (1, 1, 1, 8)}

if __name__ == "__main__":
    work = [(patch, [state, state]) for patch, state in map(scenes.make_scene, ("small", "one tile"))]
    results = gpu.evaluate_batch(work)
    for (patch, states), found in zip(work, results, strict=True):
        for result in found:
            np.testing.assert_allclose(result[0], cpu.evaluate(patch, states[0], cpu.EXACT)[0], rtol=1e-6)
    patch, (state, _) = work[0]
    assert np.isfinite(gpu.model(patch, state)).all() and np.isfinite(gpu.fisher(patch, state)).all()
    print("all kernels ran")
