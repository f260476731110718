"""Cost and reliability of optimum and sampling on scenes drawn by GalSim.

python benchmarks/inference.py [--quick] [--seed N] [--only PART]

Optimum from random starts; one galaxy and three overlapping ones: CPU time and effective samples, with the
same scene sampled from a unit matrix with dense adaptation; faint sources at empty places (pulls of simulated
sources: `fpho calibrate`). CPU seconds are those of one process after compilation. The parts `neighbours` and
`placements` are the scripts of these names, on finished runs of config/default.yaml and jwst_ceers.yaml.
"""

import argparse
import tempfile
import time
from pathlib import Path

import neighbours
import numpy as np
import placements

from fpho.config import Bounds, Population, Prior, Priors
from fpho.geometry import CircularRegion
from fpho.images import Exposure
from fpho.optimize import run_opt
from fpho.parameters import q_names, scene_dtype
from fpho.patch import CPUPatchMixin, DirectPatch
from fpho.psf import PSFStore, fit_mixture, write_store
from fpho.sampling import run_lmc
from fpho.sampling.rules import Limits
from fpho.simulate.drawing import draw_exposure, draw_noiseless
from fpho.simulate.optics import make_wcs, moffat_psf, psf_image

RA, DEC, SCALE = 53.16, -27.79, 0.05
PARTS = ("optimum", "efficiency", "accepted", "undetected", "neighbours", "placements")
UNIFORM = Prior(name="uniform")
FWHM = {"g": 0.16, "r": 0.18, "i": 0.20}


class Patcher(DirectPatch, CPUPatchMixin):
    """Patches from memory."""


def make_store(folder) -> PSFStore:
    """Mixtures of the Moffat PSFs, fitted to oversampled images as a user's would be."""
    groups = {}
    for band, fwhm in FWHM.items():
        image = psf_image(moffat_psf(fwhm, SCALE, beta=3.5), 4, 241, pixel_response=True)
        fit = fit_mixture(image, oversample=4, pixel_included=True, center="stamp")
        groups[band] = (fit.mixture[None], None, [fit.quality])
    path = Path(folder) / "psfs.h5"
    write_store(path, groups)
    return PSFStore(path)


def make_rows(bands, n) -> np.ndarray:
    rows = np.zeros(n, scene_dtype(bands))
    rows["source_index"], rows["is_valid"], rows["roi"] = np.arange(n), True, 1.0
    rows["ra"], rows["dec"] = RA, DEC
    rows["id"] = [f"s{i}" for i in range(n)]
    rows["q"], rows["sersic"], rows["rhalf"] = 0.85, 1.5, 0.2
    for band in bands:
        rows[f"{band}_err"] = np.nan
    return rows


def move(rows, east, north) -> None:
    """Shift rows by offsets in arcsec."""
    rows["ra"] += np.asarray(east) / 3600 / np.cos(np.radians(DEC))
    rows["dec"] += np.asarray(north) / 3600


def noise_for(rows, band, shape, snr) -> float:
    """Noise per pixel that gives the first source this S/N by matched filter."""
    image = draw_noiseless(
        rows[:1], make_wcs(RA, DEC, SCALE, shape), moffat_psf(FWHM[band], SCALE, 3.5), shape, band
    )
    return float(np.sqrt((image**2).sum()) / snr)


def make_exposures(rows, bands, shape, noise, rng, per_band=1) -> list[Exposure]:
    """Images of the rows, dithered and rotated when there are several per band."""
    out = []
    for k in range(per_band):
        for band in bands:
            wcs = make_wcs(RA, DEC, SCALE, shape, 23.0 * k, (0.017 * k, -0.011 * k))
            psf = moffat_psf(FWHM[band], SCALE, 3.5)
            data = draw_exposure(rows, wcs, psf, shape, noise, band, rng)
            ierr = np.full(shape, 1 / noise, "f4")
            out.append(
                Exposure(f"{band}{k}", band, "exposure", data.astype("f4"), ierr, wcs, wcs.to_header())
            )
    return out


def prepare(exposures, store, bands, catalog, priors=None, **bounds):
    """(model, q) of a catalog on exposures."""
    patcher = Patcher(exposures, store)
    patcher.build_patch(CircularRegion(RA, DEC, 100.0), None, allbands=bands)
    options = {} if priors is None else {"priors": priors}
    return patcher.prepare_model(
        active=catalog, bounds=patcher.make_bounds(catalog, Bounds(**bounds)), **options
    )


def anywhere(model, rng) -> np.ndarray:
    """A vector q drawn uniformly from the bounds."""
    names = q_names(model.bands)
    block = np.stack([rng.uniform(*model.bounds[name].T) for name in names], axis=-1)
    block[:, len(model.bands) : len(model.bands) + 2] -= model.reference
    return block.ravel()


def cpu(function, *arguments, **options):
    """(CPU seconds, result)."""
    start = time.process_time()
    result = function(*arguments, **options)
    return time.process_time() - start, result


def optimum_from_anywhere(store, rng, n_starts) -> None:
    """5 sources, 3 bands, 6 exposures."""
    bands, shape = ("g", "r", "i"), (88, 88)
    rows = make_rows(bands, 5)
    move(rows, [0, 0.7, -0.6, 0.2, -0.9], [0, 0.3, 0.5, -0.8, -0.6])
    rows["sersic"], rows["rhalf"] = [1.0, 2.5, 0.8, 4.0, 1.5], [0.2, 0.12, 0.3, 0.25, 0.1]
    rows["q"], rows["pa"] = [0.8, 0.95, 0.7, 0.9, 0.85], [0.3, 1.2, -1.0, 0.7, -0.4]
    for band in bands:
        rows[band] = rng.uniform(100, 400, 5)
    noise = noise_for(rows, "g", shape, 40)
    model, q = prepare(make_exposures(rows, bands, shape, noise, rng, per_band=2), store, bands, rows)
    results = [run_opt(model, anywhere(model, rng)) for _ in range(n_starts)]
    lnp = np.array([optimum.lnp for optimum, _ in results])
    best = max(lnp.max(), run_opt(model, q)[0].lnp)
    calls, matrices = (np.array([info[name] for _, info in results]) for name in ("ncall", "n_fisher"))
    print(f"optimum: {np.sum(lnp > best - 0.5)} of {n_starts} starts within 0.5 of the best in ln p; "
          f"evaluations median {np.median(calls):.0f}, most {calls.max()}; "
          f"Fisher matrices median {np.median(matrices):.0f}, most {matrices.max()}")  # fmt: skip


def efficiency(name, store, rng, rows, shape, snr, n_draws) -> None:
    """Optimum and sampling in one band, and the same from a unit matrix."""
    bands = ("r",)
    noise = noise_for(rows, "r", shape, snr)
    model, _ = prepare(make_exposures(rows, bands, shape, noise, rng), store, bands, rows)
    start = model.transform.transform(0.5 * rng.standard_normal(model.ndim))
    run_opt(model, start)
    spent, (optimum, info) = cpu(run_opt, model, start)
    print(
        f"{name}: optimum {spent:.4f} CPU s, {info['ncall']} evaluations, {info['n_fisher']} Fisher matrices"
    )
    unit = np.eye(model.ndim)
    for label, options in (
        ("learnt forces (default)", {}),
        ("true forces, Gaussian part exact", {"sampler": "split"}),
        ("littlemcmc's NUTS", {"sampler": "littlemcmc"}),
        (
            "unit matrix, dense adaptation",
            {"z_cov": unit, "adapt": True, "warmup": 600},
        ),
    ):
        spent, (out, _, _) = cpu(run_lmc, model, optimum.q, n_draws=n_draws, seed=1, **options)
        s, calls = out.summary, out.ncall - out.ncall_warmup
        bulk, tail = s.min_bulk_ess, s.min_tail_ess
        mixing = f"bulk {1e3 * bulk / calls:.0f} ({s.min_bulk_ess_name}), tail {1e3 * tail / calls:.0f}"
        state = f"R-hat {s.max_rhat:.3f}, {s.divergences} divergences"
        print(f"  {label}: warm-up {out.ncall_warmup / 4:.0f} g per chain; per 1000 g {mixing}")
        print(
            f"    {spent:.2f} CPU s; {bulk / spent:.0f} bulk and {tail / spent:.0f} tail per CPU s; {state}"
        )
        print(f"    draws' sd / Fisher sd: {s.max_sd_ratio:.2f}")


def classes(store, rng, rows, shape, snr, n, n_draws) -> None:
    """Effective samples with n draws of the noise, by how much wider the posterior is than its Gaussian.

    Wanted (bulk / tail per 1000 g): 200 / 65 for near-Gaussian patches, 30 / 15 and 10 / 5 for the others.
    """
    bands, found = ("r",), []
    noise = noise_for(rows, "r", shape, snr)
    for _ in range(n):
        model, _ = prepare(make_exposures(rows, bands, shape, noise, rng), store, bands, rows)
        optimum, _ = run_opt(model, model.transform.transform(0.5 * rng.standard_normal(model.ndim)))
        out, _, _ = run_lmc(model, optimum.q, n_draws=n_draws, seed=int(rng.integers(2**31)))
        s, calls = out.summary, (out.ncall - out.ncall_warmup) / 1e3
        found.append((s.max_sd_ratio, s.min_bulk_ess / calls, s.min_tail_ess / calls))
    print(f"three overlapping, {n} draws of the noise: bulk / tail per 1000 g (sd ratio)")
    for name, low, high in (("near-Gaussian", 0, 1.2), ("moderate", 1.2, 1.7), ("hard", 1.7, np.inf)):
        some = sorted(one for one in found if low <= one[0] < high)
        if some:
            _, bulk, tail = np.mean(some, axis=0)
            each = ", ".join(f"{one[1]:.0f} / {one[2]:.0f} ({one[0]:.2f})" for one in some)
            print(f"  {name}: mean {bulk:.0f} / {tail:.0f}; {each}")


def one_galaxy():
    rows = make_rows(("r",), 1)
    rows["r"], rows["q"], rows["pa"] = 100.0, 0.8, 0.6
    return rows


def three_galaxies():
    rows = make_rows(("r",), 3)
    rows["r"], rows["rhalf"], rows["sersic"] = [100, 80, 60], [0.25, 0.2, 0.15], [1.0, 2.5, 1.5]
    move(rows, [0, 0.35, -0.3], [0, 0.2, 0.3])
    return rows


def scenes(rng) -> dict[str, tuple]:
    """Name: rows, bands, shape, S/N of the first source, exposures of each band, priors."""
    flat = Priors(population=Population(use=False), **dict.fromkeys(("sersic", "rhalf", "q"), UNIFORM))
    return {
        "one galaxy, S/N 50": (one_galaxy(), ("r",), (64, 64), 50, 1, Priors()),
        "one galaxy, S/N 8": (one_galaxy(), ("r",), (64, 64), 8, 1, Priors()),
        "three overlapping": (three_galaxies(), ("r",), (96, 96), 50, 1, Priors()),
        "three overlapping, flat priors": (three_galaxies(), ("r",), (96, 96), 50, 1, flat),
        "three overlapping, S/N 15": (three_galaxies(), ("r",), (96, 96), 15, 1, Priors()),
        "five overlapping, three bands": (five_galaxies(rng), tuple(FWHM), (88, 88), 40, 2, Priors()),
        "twelve overlapping, three bands": (many_galaxies(rng, 12), tuple(FWHM), (100, 100), 40, 1, Priors()),
    }


def accepted(store, rng, n: int, length: int | None, only: str) -> None:
    """What patches cost until they are accepted, n draws of the noise each.

    length : draws of each of four chains; None: the stage's own
    only : what names of scenes hold
    """
    options = {} if length is None else {"n_draws": length}
    for name, (rows, bands, shape, snr, per_band, priors) in scenes(rng).items():
        if only not in name:
            continue
        noise, found = noise_for(rows, bands[0], shape, snr), []
        for k in range(n + 1):  # the first compiles
            exposures = make_exposures(rows, bands, shape, noise, rng, per_band)
            model, q = prepare(exposures, store, bands, rows, priors)
            optimum, _ = run_opt(model, q)
            spent, (out, _, _) = cpu(run_lmc, model, optimum.q, seed=k, limits=Limits(), **options)
            s = out.summary
            found.append((s.accepted, out.ncall, s.max_rhat, s.min_bulk_ess, s.min_tail_ess, spent))
        yes, calls, rhat, bulk, tail, spent = np.array(found[1:]).T
        print(
            f"{name} ({model.ndim} coordinates): {yes.sum():.0f} of {n} accepted; evaluations median "
            f"{np.median(calls):.0f}, most {calls.max():.0f}; R-hat up to {rhat.max():.3f}\n"
            f"  samples bulk / tail {np.median(bulk):.0f} / {np.median(tail):.0f}, least {bulk.min():.0f} / "
            f"{tail.min():.0f}; per CPU s {np.median(bulk / spent):.0f} / {np.median(tail / spent):.0f}, "
            f"least {np.min(bulk / spent):.0f} / {np.min(tail / spent):.0f}; "
            f"CPU s {np.median(spent):.2f}",
            flush=True,
        )


def five_galaxies(rng):
    """Two of them 0.24 arcsec apart, with large indices."""
    rows = make_rows(tuple(FWHM), 5)
    move(rows, [0, 0.7, -0.6, 0.2, 0.36], [0, 0.3, 0.5, -0.8, -0.62])
    rows["sersic"], rows["rhalf"] = [1.0, 2.5, 0.8, 4.0, 3.5], [0.2, 0.12, 0.3, 0.25, 0.15]
    rows["q"], rows["pa"] = [0.8, 0.95, 0.7, 0.9, 0.85], [0.3, 1.2, -1.0, 0.7, -0.4]
    for band in FWHM:
        rows[band] = rng.uniform(100, 400, 5)
    return rows


def many_galaxies(rng, n: int):
    """Within 1.3 arcsec of the middle."""
    rows = make_rows(tuple(FWHM), n)
    move(rows, rng.uniform(-1.3, 1.3, n), rng.uniform(-1.3, 1.3, n))
    for name, low, high in (("sersic", 0.8, 4), ("rhalf", 0.08, 0.3), ("q", 0.6, 0.97), ("pa", -1.5, 1.5)):
        rows[name] = rng.uniform(low, high, n)
    for band in FWHM:
        rows[band] = rng.uniform(100, 400, n)
    return rows


def undetected(store, rng, n, n_draws, error) -> None:
    """Sources of no flux, catalogued as 3 nJy +- `error`, fitted at n empty places: flux over its error.

    The error for a known shape is 6 nJy; with size, shape and position free it is 20 nJy.
    The optimum with its marginal error is what the catalogs of `optimize` and `postop` hold, median and sd of
    the draws what that of `sample` holds.
    """
    bands, shape = ("r",), (48, 48)
    pulls = {"optimum / error": [], "mean / sd of draws": [], "median / sd of draws": []}
    for _ in range(n):
        rows = make_rows(bands, 1)
        rows["r"] = 0.0
        catalog = rows.copy()
        catalog["r"], catalog["r_err"] = 3.0, error
        model, q = prepare(make_exposures(rows, bands, shape, 1.0, rng), store, bands, catalog)
        optimum, _ = run_opt(model, q)
        fitted = optimum.fill(None, catalog, None, model)[0]
        out, _, _ = run_lmc(model, optimum.q, n_draws=n_draws, chains=2, seed=int(rng.integers(2**31)))
        flux = out.chain[:, 0]
        pulls["optimum / error"].append(fitted["r"][0] / fitted["r_err"][0])
        pulls["mean / sd of draws"].append(flux.mean() / flux.std())
        pulls["median / sd of draws"].append(np.median(flux) / flux.std())
    print(f"undetected: flux over its error at {n} empty places, catalog 3 +- {error} nJy")
    for name, values in pulls.items():
        print(f"  {name:20s} mean {np.mean(values):+.3f}, sd {np.std(values):.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of half an hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", choices=("", *PARTS), help="one part")
    parser.add_argument("--length", type=int, help="draws of a chain in the part `accepted`")
    parser.add_argument("--scene", default="", help="its scenes whose names hold this")
    parser.add_argument("--example", default="results/example", help="run of the built-in example")
    parser.add_argument("--jwst", default="results/jwst_ceers", help="run of config/jwst_ceers.yaml")
    options = parser.parse_args()
    quick = options.quick
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(folder)
        rng = np.random.default_rng(options.seed)
        if options.only in ("", "optimum"):
            optimum_from_anywhere(store, rng, 30 if quick else 100)
        if options.only in ("", "efficiency"):
            n_draws = 300 if quick else 1000
            efficiency("one galaxy, 64 x 64, S/N 50", store, rng, one_galaxy(), (64, 64), 50, n_draws)
            efficiency("three overlapping, 96 x 96", store, rng, three_galaxies(), (96, 96), 50, n_draws)
            efficiency("one faint galaxy, 64 x 64, S/N 8", store, rng, one_galaxy(), (64, 64), 8, n_draws)
            classes(store, rng, three_galaxies(), (96, 96), 50, 3 if quick else 12, n_draws)
        if options.only in ("", "accepted"):
            accepted(store, rng, 3 if quick else 12, options.length, options.scene)
        if options.only in ("", "undetected"):
            for error in (6.0, np.nan):
                undetected(store, rng, 200, 150, error)
    for part, run in ((neighbours, options.example), (placements, options.jwst)):
        if options.only in ("", part.__name__):
            if not Path(run).is_dir():
                raise SystemExit(
                    f"{part.__name__}: no run in {run}; make it, or leave this part out (--only)"
                )
            part.main(["--run", run])


if __name__ == "__main__":
    main()
