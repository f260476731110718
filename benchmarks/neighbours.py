"""Sources that are split between patches, against the fit of all of them together.

python benchmarks/neighbours.py [--run results/example] [--draws N] [--rounds N] [--size N]

Takes the group of 4 of a run of the built-in example (`snakemake postop`), samples it as one patch, and cut
into patches of at most `--size` sources; prints for each round the largest difference of a mean, in units of
the joint fit's sd, and the smallest and largest ratio of widths, over fluxes, positions, ellipticity, ln
sersic and ln rhalf of the four. All other sources are fixed in both.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from fpho.config import load_config
from fpho.layout import Layout
from fpho.parameters import ellipticity
from fpho.passes import batches
from fpho.passes.plan import Plan
from fpho.passes.planning import plan_patches
from fpho.passes.results import results_of
from fpho.results import Samples, plain
from fpho.sampling.diagnostics import bulk_ess
from fpho.scene import read_scene

SHARED = ("stores", "psf", "sersic", "background", "catalogs")


def observables(samples, s, bands) -> dict[str, np.ndarray]:
    """Draws (C, N) of a source's parameters in coordinates without edges."""
    draws = samples.samples[s].reshape(samples.n_chains, -1)
    e1, e2 = ellipticity(draws["q"], draws["pa"])
    cosine = np.cos(np.radians(np.median(draws["dec"])))
    position = {"ra": draws["ra"] * 3600 * cosine, "dec": draws["dec"] * 3600}
    shape = {"e1": e1, "e2": e2, "ln n": np.log(draws["sersic"]), "ln r": np.log(draws["rhalf"])}
    return {band: draws[band] for band in bands} | position | shape


def collect(layout, plan, bands) -> list[dict]:
    """For each round: (id, parameter) to draws (C, N)."""
    rounds, depth = [], {}
    records = {one.patch.index: one.record for one in results_of(layout)}
    for patch in plan.chosen("all", 0):
        depth[patch.index] = depth.get(patch.previous, -1) + 1
        if depth[patch.index] == len(rounds):
            rounds.append({})
        samples = Samples(records[patch.index])
        for s, row in enumerate(samples.active):
            for name, values in observables(samples, s, bands).items():
                rounds[depth[patch.index]][str(row["id"]), name] = values
    return rounds


def sampled(run: Layout, folder: Path, rows, members, config, cores) -> tuple[Layout, Plan]:
    """Sample the members; links to the run's stores, files of its own."""
    folder.mkdir()
    layout = Layout(folder)
    for name in SHARED:
        (folder / name).symlink_to((run / name).resolve())
    some = rows.copy()
    some["is_valid"] = np.isin(np.arange(len(rows)), members)
    plan = plan_patches(some, config.patches, config.seed, rounds=config.sample.gibbs_rounds, gibbs=True)
    others = tuple(np.flatnonzero(rows["is_valid"] & ~some["is_valid"]).tolist())
    plan = replace(plan, patches=tuple(replace(p, fixed=p.fixed + others) for p in plan.patches))
    plan.write(layout.plan("sample"))
    batches.run_batch(config, layout, "sample", "all", 0, cores, run.postop)
    return layout, plan


def compare(joint: dict, cut: dict) -> str:
    """Worst parameter in mean and in width, and the Monte Carlo errors of both."""
    shift, width = {}, {}
    for key, reference in joint.items():
        shift[key] = (cut[key].mean() - reference.mean()) / reference.std()
        width[key] = cut[key].std() / reference.std()
    worst = max(shift, key=lambda key: abs(shift[key]))
    narrow, wide = min(width, key=width.get), max(width, key=width.get)
    ess = min(bulk_ess(np.stack(list(some.values()), axis=-1)).min() for some in (joint, cut))
    return (
        f"mean {shift[worst]:+.3f} sigma ({' '.join(worst)}), width {width[narrow]:.3f} "
        f"({' '.join(narrow)}) to {width[wide]:.3f} ({' '.join(wide)}), "
        f"median {np.median(list(width.values())):.3f}; "
        f"Monte Carlo error of a mean {np.sqrt(2 / ess):.3f}, of a width {np.sqrt(1 / ess):.3f}"
    )


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", default="results/example", help="a run of config/default.yaml, up to postop")
    parser.add_argument("--draws", type=int, default=1500, help="per chain")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--size", type=int, default=2, help="sources of a patch")
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args(arguments)
    run = Layout(Path(options.run))
    rows, bands, _ = read_scene(run.postop)
    members = np.flatnonzero(np.char.startswith(rows["id"].astype(str), "group"))
    config = load_config(run.config)
    sample = {"sampling_draws": options.draws, "gibbs_rounds": options.rounds}
    config = config.model_copy(update={"sample": config.sample.model_copy(update=sample)})
    cut = {"strict": False, "maxactive_per_patch": options.size}
    split = config.model_copy(update={"patches": config.patches.model_copy(update=cut)})
    with tempfile.TemporaryDirectory() as folder:
        results = []
        for name, one in (("joint", config), ("cut", split)):
            layout, plan = sampled(run, Path(folder) / name, rows, members, one, options.cores)
            results.append(collect(layout, plan, bands))
            for done in results_of(layout):
                patch, found = done.patch, Samples(done.record)
                s = {key: value for key, value in plain(found.summary).items() if not key.endswith("_name")}
                text = ", ".join(f"{key} {float(value):.3f}" for key, value in s.items())
                calls = found.attrs["ncall"]
                print(f"{name} patch {patch.index}, {len(patch.active)} sources: ncall {calls}, {text}")
    joint, cut = results
    for number, one in enumerate(cut, 1):
        print(f"round {number}: {compare(joint[-1], one)}", flush=True)


if __name__ == "__main__":
    main()
