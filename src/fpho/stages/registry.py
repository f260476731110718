"""All stages of a run: what each reads and writes, and the options and the code that it depends on.

Stated here and nowhere else: the rules of the workflow, the hash of a patch's task, the command line and the
table in docs/workflow.md take theirs from here. Nothing heavy is imported before a stage runs.
"""

from ..config.views import ALL
from .imagewise import measures_sky, parts_of
from .inputs import from_stars, simulated
from .patchwise import OPTIMIZE, REOPTIMIZE, SAMPLE
from .stage import ConfiguredRun, Stage


def _on_images(run: ConfiguredRun) -> dict:
    """What stages read that draw the model of a scene on whole images."""
    layout = run.layout
    return {
        "stores": run.layout.stores,
        "psf": layout.psf_store,
        "sersic": layout.sersic_table,
    }


def _after_background(run: ConfiguredRun) -> dict:
    return _on_images(run) | {"background": run.layout.background, "registration": run.layout.registration}


def _stage(name: str, help: str, **more) -> Stage:
    return Stage(name=name, help=help, function=f"fpho.stages.{name}:run", **more)


SIMULATE = _stage(
    "simulate",
    "Draw a scene with known truth: images, PSFs and catalog.",
    reads=lambda run: {},
    writes=lambda run: {
        "images": run.layout.simulation / "exposures.tsv",
        "psfs": run.layout.simulation / "psfs.tsv",
        "catalog": run.layout.simulation / "catalog.fits",
        "truth": run.layout.truth,
    },
    options=("simulate", "seed"),
    needs=lambda config: ("galsim",),
    exists=simulated,
)


def _over_images(name: str, help: str, is_needed=lambda config: True, **more) -> Stage:
    """A stage that can be divided into groups of images; not where its images are not needed.

    What else it has: see `imagewise.parts_of`.
    """
    last, start = more["writes"], more.get("start")
    own = {key: more.pop(key) for key in ("start", "of_group") if key in more}
    parts = parts_of(name, more["reads"], last, more["options"], **own)

    def writes(run: ConfiguredRun) -> dict:
        return (start(run) if start else {}) | last(run)

    def groups(run: ConfiguredRun) -> int:
        return run.image_groups if is_needed(run.config) else 1

    more = {"measures": True} | more | {"writes": writes, "parts": parts, "groups": groups}
    return _stage(name, help, cores=True, processes=True, **more)


CHECK = _over_images(
    "check",
    "Check all inputs and options before anything is fitted.",
    reads=lambda run: {
        "inputs": run.given(run.inputs.images, run.inputs.psfs, run.inputs.catalog),
        "tables": run.named(
            run.config.background.tweakbg,
            run.config.registration.table,
            run.config.sersic.table,
            run.config.psf.stars,
        ),
    },
    of_group=lambda run, group: {
        "images": run.given(run.inputs.images, group=group),
        "catalog": run.given(run.inputs.catalog),
    },
    writes=lambda run: {"checked": run.layout.checked},
    options=(
        "simulate",
        "images",
        "psfs",
        "catalog",
        "bands",
        "preprocess",
        "psf.center",
        "psf.from",
        "psf.stars",
        "psf.per",
        "background.tweakbg",
        "registration.table",
        "sersic.table",
        "bounds",
        "priors",
        "detect.bands",
        "patches.default_roi",
        "kernel",
    ),
    gpu=True,  # it looks for the card
    measures=False,
)
SETTINGS = _stage(
    "settings",
    "Write the configuration as used, beside the results.",
    reads=lambda run: {"checked": run.layout.checked},
    writes=lambda run: {"yaml": run.layout.config, "json": run.layout.config_json},
    options=ALL,
    plain=True,
)
SERSIC = _stage(
    "sersic",
    "Take the table of Sersic mixtures, shipped or given, or make it again.",
    reads=lambda run: {"table": run.named(run.config.sersic.table), "checked": run.layout.checked},
    writes=lambda run: {"table": run.layout.sersic_table},
    options=("sersic", "bounds.sersic_range", "bounds.rhalf_range"),
    measures=True,
)
PSF = _stage(
    "psf",
    "Turn PSF images, given or made from stars, into mixtures of Gaussians, and report how well each does.",
    reads=lambda run: {
        "images": run.given(run.inputs.psfs),
        "checked": run.layout.checked,
        **(
            {"exposures": run.given(run.inputs.images), "stars": run.named(run.config.psf.stars)}
            if from_stars(run.config)
            else {}
        ),
    },
    writes=lambda run: {
        "store": run.layout.psf_store,
        "quality": run.layout.psf_quality,
        "plots": run.layout.psf_plots,
        **({"stars": run.layout.star_psfs} if from_stars(run.config) else {}),
    },
    folders=("plots", "stars"),
    options=(
        "simulate",
        "images",
        "psfs",
        "bands",
        "preprocess",
        "psf.from",
        "psf.stars",
        "psf.per",
        "psf.max_cells",
        "psf.center",
        "psf.n_components",
        "psf.max_components",
        "psf.remainder",
    ),
    cores=True,
    measures=True,
)


PREPROCESS = _over_images(
    "preprocess",
    "Turn images into stores: calibrated pixels in super-pixel order, a file for each, and an index.",
    reads=lambda run: {"images": run.given(run.inputs.images), "checked": run.layout.checked},
    of_group=lambda run, group: {
        "images": run.given(run.inputs.images, group=group),
        "checked": run.layout.checked,
    },
    writes=lambda run: {"stores": run.layout.stores},
    options=("simulate", "images", "bands", "preprocess"),
)
SCENE = _over_images(
    "scene",
    "Turn the peak catalog, or what the images show, into the first scene state; measure a first sky.",
    is_needed=measures_sky,
    reads=lambda run: {
        "images": [path for path in run.given(run.inputs.images) if path == run.inputs.images],
        "catalog": run.given(run.inputs.catalog),
        "checked": run.layout.checked,
        **_on_images(run),
    },
    start=lambda run: {"scene": run.layout.scene("initial")},
    writes=lambda run: {"sky": run.layout.first_sky},
    options=(
        "simulate",
        "images",
        "catalog",
        "bands",
        "patches.default_roi",
        "background.mode",
        "background.nsigma",
        "background.tweakbg",
        "optimize.on",
        "sample.on",
        "psf.interpolation",
        "bounds.sqrtq_range",
        "bounds.sersic_range",
        "bounds.rhalf_range",
    ),
)
BACKGROUND = _over_images(
    "background",
    "Fit the residual background and the shift of each image, robustly against sources.",
    is_needed=measures_sky,
    reads=lambda run: {
        "tables": run.named(run.config.background.tweakbg, run.config.registration.table),
        "scene": run.layout.scene("optimize"),
        "sky": run.layout.first_sky,
        **_on_images(run),
    },
    start=lambda run: {"registration": run.layout.registration},
    writes=lambda run: {"background": run.layout.background},
    options=(
        "background.mode",
        "background.per",
        "background.nsigma",
        "background.tweakbg",
        "registration",
        "optimize.on",
        "sample.on",
        "psf.interpolation",
    ),
)
DETECT = _stage(
    "detect",
    "Look in the residual images for objects that the catalog lacks (optional).",
    reads=lambda run: {"scene": run.layout.scene("optimize"), **_after_background(run)},
    writes=lambda run: {"scene": run.layout.scene("detect")},
    options=(
        "detect",
        "catalog.detect",
        "patches.default_roi",
        "optimize.on",
        "psf.interpolation",
        "bounds.sqrtq_range",
        "bounds.sersic_range",
        "bounds.rhalf_range",
    ),
    cores=True,
    measures=True,
)
POSTOP = _stage(
    "postop",
    "Write the catalog of the optimum with flux uncertainties, the start of sampling.",
    reads=lambda run: {
        "scene": run.layout.scene("reoptimize"),
        "plans": [run.layout.plan(stage) for stage in ("optimize", "reoptimize")],
        "patches": [run.layout.patch_log(stage) for stage in ("optimize", "reoptimize")],
    },
    writes=lambda run: {"catalog": run.layout.postop, "structure": run.layout.structure},
    measures=True,
)
POSTPROCESS = _stage(
    "postprocess",
    "Write catalogs, images, regions, plots and the report.",
    reads=lambda run: {
        "scene": run.layout.scene("sample"),
        "plan": run.layout.plan("sample"),
        "patches": run.layout.patch_log("sample"),
        "truth": [run.layout.truth] if simulated(run.config) else [],
        **_after_background(run),
    },
    writes=lambda run: {
        "catalog": run.layout.posterior,
        "chains": run.layout.chains,
        "apertures": run.layout.apertures,
        "summary": run.layout.summary,
        **{
            name: getattr(run.layout, name)
            for name in ("images", "regions", "plots")
            if getattr(run.config.postprocess, name)
        },
    },
    folders=("images", "regions", "plots"),
    options=("postprocess", "sample.max_rhat", "sample.min_ess", "psf.interpolation", "seed"),
    needs=lambda config: ("matplotlib",) if config.postprocess.plots else (),
)
VIEW = _stage(
    "view",
    "Make the page on which a person looks at the field and its sources.",
    reads=lambda run: {
        "catalog": run.layout.posterior,
        "chains": run.layout.chains,
        "plan": run.layout.plan("sample"),
        "patches": run.layout.patch_log("sample"),
        **({"images": run.layout.images} if run.config.postprocess.images else _after_background(run)),
    },
    writes=lambda run: {"page": run.layout.page},
    folders=("page",),
    options=("page.draws", "psf.interpolation"),
    needs=lambda config: ("matplotlib", "PIL"),
    exists=lambda config: config.page.enabled,
    cores=True,
)
LEARN = _stage(
    "learn",
    "Learn the field's own population from the posteriors, and reweight the catalog by it (optional).",
    reads=lambda run: {
        "scene": run.layout.scene("sample"),
        "plan": run.layout.plan("sample"),
        "patches": run.layout.patch_log("sample"),
    },
    writes=lambda run: {"catalog": run.layout.learned, "population": run.layout.population},
    options=("priors.population", "seed"),
)
COMPARE = _stage(
    "compare",
    "Compare the results of a simulated run with its truth.",
    reads=lambda run: {
        "truth": run.layout.truth,
        "catalog": run.layout.posterior,
        "background": run.layout.background,
    },
    writes=lambda run: {"comparison": run.layout.comparison},
    folders=("comparison",),
    needs=lambda config: ("matplotlib",),
    exists=simulated,
)
CALIBRATE = _stage(
    "calibrate",
    "Draw sources from the priors, fit them, and test the posterior's coverage.",
    reads=lambda run: {},
    writes=lambda run: {
        "page": run.layout.calibration / "calibration.html",
        "tables": run.layout.calibration / "calibration.md",
    },
    options=("calibrate", "bounds", "priors", "psf", "optimize", "sample", "seed"),
    needs=lambda config: ("galsim", "matplotlib"),
    cores=True,
    processes=True,
)
MEASURING = (SERSIC, PSF, PREPROCESS, SCENE, BACKGROUND, DETECT, POSTOP, OPTIMIZE, REOPTIMIZE, SAMPLE)
INJECT = _stage(
    "inject",
    "Put simulated sources into your own images, measure them, and report what was lost.",
    reads=lambda run: {
        "inputs": run.given(run.inputs.images, run.inputs.psfs, run.inputs.catalog),
        "sources": run.named(run.config.inject.catalog),
        "psf": run.layout.psf_store,
        "sersic": run.layout.sersic_table,
        "checked": run.layout.checked,
    },
    writes=lambda run: {
        "page": run.layout.injection / "injection.html",
        "sources": run.layout.injection / "injection.ecsv",
        "summary": run.layout.injection / "summary.ecsv",
    },
    options=ALL,
    runs=tuple(dict.fromkeys(stage.module for stage in MEASURING)),
    needs=lambda config: ("galsim", "matplotlib"),
    cores=True,
    processes=True,
)
CALIBRATE_FIELD = _stage(
    "calibrate_field",
    "ConfiguredRun everything on simulated deep fields, and compare with the truth.",
    reads=lambda run: {},
    writes=lambda run: {
        "page": run.layout.field_calibration / "fields.html",
        "tables": run.layout.field_calibration / "fields.md",
    },
    options=ALL,
    runs=tuple(dict.fromkeys(stage.module for stage in (SIMULATE, *MEASURING, POSTPROCESS))),
    needs=lambda config: ("galsim", "matplotlib"),
    cores=True,
    processes=True,
)
STAGES = {
    stage.name: stage
    for stage in (
        SIMULATE,
        CHECK,
        SETTINGS,
        SERSIC,
        PSF,
        PREPROCESS,
        SCENE,
        OPTIMIZE,
        BACKGROUND,
        DETECT,
        REOPTIMIZE,
        POSTOP,
        SAMPLE,
        POSTPROCESS,
        VIEW,
        LEARN,
        COMPARE,
        CALIBRATE,
        CALIBRATE_FIELD,
        INJECT,
    )
}
