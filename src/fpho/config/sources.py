"""Why each default has its value: a paper, a measurement, or a choice and its reason. For the documentation.

Links are those of the page `reference/configuration` of the site.
"""

FAINT = "measured: [faint sources](../catalogs.md#prior-of-the-population)"
SAMPLING = "measured: `python benchmarks/inference.py`, table in `benchmarks/README.md`"
DRAWN = "a choice: what is drawn looks like a deep NIRCam field"
VEHTARI = "Vehtari et al. 2021, Bayesian Analysis 16, 667 (there 1.01 and 400)"
OLDER = "as in the older code"

SOURCES = {
    "seed": "a choice: any number does",
    "outdir": "a choice",
    "kernel": "a choice: every machine has a processor",
    "catalog.convention": "none: the two cannot be told apart, and a guess would turn shapes",
    "catalog.flux_columns": "a choice: the band's own name",
    "catalog.detect_nsigma": "measured: 1.3% of the detections are false at 5 ([detection](../detection.md))",
    "psf.max_components": "a choice: what ten Gaussians leave is the remainder's, [mixtures](../mixtures.md)",
    "psf.interpolation": "a choice: right for any number of positions",
    "psf.remainder": "measured: fluxes through real PSFs, [mixtures](../mixtures.md)",
    "psf.center": "a choice: stamps are centred on a source, unless they visibly are not",
    "sersic.table": "measured: within 0.34% of the peak of exact profiles, [mixtures](../mixtures.md)",
    "sersic.n_components": "measured: fewest Gaussians within these limits, [mixtures](../mixtures.md)",
    "preprocess.do_fluxcal": OLDER,
    "preprocess.bitmask": OLDER + "; a bit that no one explains is not trusted",
    "preprocess.mask_planes": "the masks of Rubin and HSC: planes whose pixels hold no measurement",
    "preprocess.noise_scale": "a choice: errors are believed unless asked otherwise; mosaics want `measure`, "
    "[inputs](../inputs.md)",
    "preprocess.errors": "measured: fluxes are low by up to 4 sigma else, [inputs](../inputs.md)",
    "bounds.sqrtq_range": "edge-on discs have b/a of 0.05 to 0.1; 0.2236 is the root of 0.05",
    "bounds.pa_range": OLDER + ": any angle, with room beyond half a turn",
    "bounds.rhalf_range": "a choice: a third of the finest pixels, to the largest galaxies",
    "bounds.sersic_range": "what the shipped table of mixtures covers",
    "bounds.n_pix": OLDER + "; catalogs are right to a pixel",
    "bounds.n_sig_flux": "a choice: so wide that bounds never shape a posterior",
    "bounds.maxfluxfactor": "the same",
    "priors.population.counts": "Windhorst et al. 2023, AJ 165, 13: slopes of 0.2 to 0.3 dex per magnitude",
    "priors.population.size": "van der Wel et al. 2014, ApJ 788, 28 (1.9 kpc at 1e9 solar masses, z = 1.5)",
    "priors.population.size_slope": "van der Wel et al. 2014, ApJ 788, 28; Shibuya et al. 2015, ApJS 219, 15",
    "priors.population.size_scatter": "van der Wel et al. 2014, ApJ 788, 28, and the spread of redshifts",
    "priors.population.index": "van der Wel et al. 2012, ApJS 203, 24",
    "priors.population.index_scatter": "van der Wel et al. 2012, ApJS 203, 24",
    "priors.population.spheroids": "van der Wel et al. 2012, ApJS 203, 24: a tenth to a fifth have n > 2.5",
    "priors.population.spheroid_index": "van der Wel et al. 2012, ApJS 203, 24: early types have 3 to 4",
    "priors.population.spheroid_scatter": "van der Wel et al. 2012, ApJS 203, 24",
    "priors.flux": "a choice: for fields that the population does not describe; " + FAINT,
    "priors.position": "a choice: catalogs are right to a part of the box",
    "priors.q": "Leauthaud et al. 2007, ApJS 172, 219; Miller et al. 2013, MNRAS 429, 2858: 0.25 to 0.3 for "
    "each component of the ellipticity",
    "priors.sersic": "van der Wel et al. 2012, ApJS 203, 24, taken wider",
    "priors.rhalf": "van der Wel et al. 2014, ApJ 788, 28, taken much wider",
    "model.jitter": "a choice: `misfit` measures it",
    "model.misfit": "measured: [clumpy galaxies](../explanation/errors.md)",
    "model.apertures": "a choice: the aperture of many deep catalogs, radius as here",
    "patches.maxactive_per_patch": OLDER,
    "patches.strict": "measured: parts of a group need each other, `python benchmarks/neighbours.py`",
    "patches.patch_maxradius": OLDER,
    "patches.patch_minradius": OLDER,
    "patches.buffer": OLDER,
    "patches.max_active_fraction": OLDER,
    "patches.halo": "measured: errors 1.03 times too small in the median, at a third of the cost of 1.25 "
    "([catalogs](../catalogs.md))",
    "patches.default_roi": "a choice: the seen light of a faint galaxy of a deep field",
    "optimize.on": "a choice: mosaics have fewer pixels, and the optimum is only where sampling starts",
    "optimize.rounds": "measured: 3 left 15 of 60 sources of the built-in example unsettled, 6 none",
    "optimize.method": "measured: ten evaluations from anywhere in the box, `python benchmarks/inference.py`",
    "optimize.gtol": "a choice: ln p to 0.01 is a hundredth of what one sigma means",
    "optimize.max_iterations": "measured: of 100 starts anywhere in the box none took more than 10",
    "optimize.use_gradients": OLDER,
    "optimize.linear_optimize": OLDER,
    "optimize.add_barriers": OLDER,
    "background.mode": "a choice: what most reduced images need",
    "background.prior_sigma": "a choice: wide against any sky that a reduction leaves",
    "background.per": "a choice: skies of exposures differ",
    "background.nsigma": "the usual limit: 0.3% of skies that are none are subtracted",
    "background.reoptimize": "a choice: a sky moves faint fluxes",
    "registration.mode": "a choice: a WCS is believed unless asked otherwise",
    "registration.nsigma": "a choice: no shift of chance in a field of thousands of exposures",
    "registration.largest": "a choice: beyond it another source was matched",
    "detect.nsigma": "the usual limit: by chance one place in some million is above it",
    "detect.min_separation": "a choice: the width of the PSF of a space telescope",
    "detect.model_error": "a choice: what arms and knots add to a smooth profile",
    "detect.rhalf": "a choice: what is missing is small, and sizes are fitted afterwards",
    "sample.on": "a choice: exposures have independent pixels",
    "sample.sampler": SAMPLING,
    "sample.chains": VEHTARI.replace("(there 1.01 and 400)", "(at least four)"),
    "sample.warmup": SAMPLING + ": the metric is known from the optimum",
    "sample.sampling_draws": "a choice: 1,024 draws in all, for `min_ess` in most patches",
    "sample.max_treedepth": OLDER,
    "sample.full_cov": SAMPLING,
    "sample.max_rhat": VEHTARI + "; 1.02, since four chains of 256 draws hardly tell 1.01 from chance",
    "sample.min_ess": VEHTARI,
    "sample.max_extensions": "a choice: 31 times the draws in all; what misses then is flagged",
    "sample.evaluations": SAMPLING,
    "sample.checkpoint_seconds": "a choice: what a kill may cost",
    "sample.gibbs_rounds": "measured: `python benchmarks/neighbours.py`, means within 0.1 sigma",
    "postprocess": "a choice: all that a person looks at",
    "postprocess.max_plots": "a choice: some seconds each",
    "postprocess.percentiles": "a choice: median, one and two sigma of a normal distribution",
    "postprocess.tables": "a choice: what other programs read",
    "postprocess.chain_draws": "a choice: percentiles to a tenth of sigma",
    "page": "a choice: all that a person looks at",
    "simulate": DRAWN,
    "calibrate": "a choice: enough trials for errors of coverage of 2%, on pixels of today's cameras",
    "inject": "a choice: what a first look at completeness wants",
    "page.draws": "measured: 8 kB a source ([the page](../page.md))",
    "workflow.batches": "a choice: one machine",
    "workflow.max_colours": "a choice: what has a higher colour runs in one job at the end",
    "workflow.gpu_processes": "measured: [graphics card](../gpu.md)",
}


def source_of(option: str) -> str:
    """Why an option (`section.name`) has its default, or its section has."""
    while option not in SOURCES and "." in option:
        option = option.rpartition(".")[0]
    return SOURCES.get(option, "")
