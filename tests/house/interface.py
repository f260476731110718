"""A program that uses the public interface, for the type checker (`mypy`); it is not run."""

from pathlib import Path

import numpy as np

from fpho import (
    CPUPatchMixin,
    FITSPatch,
    LinkedSuperScene,
    Residuals,
    Samples,
    load_config,
    optimize_fluxes,
    run_lmc,
    run_opt,
    write_to_disk,
)


class Patcher(FITSPatch, CPUPatchMixin):
    """Pixels from FITS files, likelihood on the CPU."""


def measure(catalog: np.ndarray, bands: list[str], images: list[str]) -> list[Path]:
    """One pass over a scene, by optimum and draws."""
    config = load_config("my.yaml", ["sample.warmup=32"])
    scene = LinkedSuperScene(sourcecat=catalog, bands=bands, statefile="scene.fits", roi=catalog["roi"])
    patcher = Patcher(fitsfiles=images, psfstore="psfs.h5", splinedata="default")
    paths: list[Path] = []
    while scene.undone:
        region, active, fixed = scene.checkout_region(seed_index=-1)
        bounds, cov = scene.bounds_and_covs(active["source_index"])
        patcher.build_patch(region, None, allbands=bands)
        model, q = patcher.prepare_model(active=active, fixed=fixed, bounds=bounds, shapes=scene.shape_cols)
        optimum, _ = run_opt(model, q)
        fluxes, _ = optimize_fluxes(model, optimum.q)
        assert np.isfinite(fluxes).all()
        out, step, stats = run_lmc(model, optimum.q, n_draws=config.sample.sampling_draws, z_cov=cov)
        final, covs = out.fill(region, active, fixed, model, bounds=bounds, step=step, stats=stats)
        paths += write_to_disk(out, "results", model, config)
        scene.checkin_region(final, fixed, 64, block_covs=covs)
    return paths


def read(samples: Path, residuals: Path) -> tuple[np.ndarray, np.ndarray]:
    """Draws and residuals of a patch."""
    first = Residuals(residuals)
    return Samples(samples).chain, np.asarray(first.exposures)
