"""Priors, optimization and sampling."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .base import OFF, On, Positives, Section, option


class Prior(Section):
    """The prior of one parameter: a family and its numbers."""

    name: Literal["uniform", "loguniform", "normal", "lognormal", "beta", "student_t", "rayleigh"] = option(
        "uniform", "family, within the parameter's bounds; rayleigh (q only): normal ellipticity components"
    )
    loc: float | None = option(
        None, "centre (of the parameter, or of its log for lognormal); a published one when absent"
    )
    scale: float | None = option(
        None,
        "width (of the parameter, of its log for lognormal, of an ellipticity component for rayleigh)",
        gt=0,
    )
    a: float | None = option(None, "first shape parameter of beta; degrees of freedom of student_t", gt=0)
    b: float | None = option(None, "second shape parameter of beta", gt=0)


class Population(Section):
    """How fluxes, sizes and indices of the sources of a field are distributed; see `posterior.population`."""

    use: bool | None = option(
        None,
        "counts, sizes given flux, and indices of a population as prior, in place of priors.flux, rhalf and "
        "sersic; false: those; absent: true where none of the three is given",
    )
    counts: float = option(
        0.625,
        "c of the counts of fluxes, dN/dF ~ F^-(1 + c): 2.5 times their slope in dex per magnitude",
        ge=0,
    )
    size: float = option(0.19, "median half-light radius, circularised, at AB 25", "arcsec", gt=0)
    size_slope: float = option(0.24, "change of ln(size) with ln(flux)")
    size_scatter: float = option(0.5, "scatter of ln(size) at one flux", gt=0)
    index: float = option(1.25, "median Sersic index of discs", gt=0)
    index_scatter: float = option(0.45, "scatter of ln(index) of discs", gt=0)
    spheroids: float = option(0.12, "share of spheroids among the galaxies", ge=0, lt=1)
    spheroid_index: float = option(3.5, "median Sersic index of spheroids", gt=0)
    spheroid_scatter: float = option(0.35, "scatter of ln(index) of spheroids", gt=0)


class Priors(Section):
    """Priors of all parameters, or of the population that the sources belong to."""

    population: Population = Field(
        default=Population.model_construct(), description="of the sources of a field"
    )
    flux: Prior = Field(
        default=Prior.model_construct(name="uniform"),
        description="flux in each band (nJy): uniform, normal or student_t",
    )
    position: Prior = Field(
        default=Prior.model_construct(name="normal"),
        description="offset from the initial position (arcsec); normal: the box's half-width",
    )
    q: Prior = Field(
        default=Prior.model_construct(name="rayleigh"), description="sqrt(b/a), isotropic in angle"
    )
    sersic: Prior = Field(default=Prior.model_construct(name="lognormal"), description="Sersic index")
    rhalf: Prior = Field(
        default=Prior.model_construct(name="lognormal"), description="half-light radius (arcsec)"
    )

    @property
    def given(self) -> list[str]:
        """Priors that a population would take the place of and that are not the default ones."""
        fields = type(self).model_fields
        return [n for n in ("flux", "sersic", "rhalf") if getattr(self, n) != fields[n].default]

    @property
    def has_population(self) -> bool:
        """Whether the population is the prior of fluxes, sizes and indices."""
        return not self.given if self.population.use is None else self.population.use

    @model_validator(mode="after")
    def _one_of_a_kind(self):
        if self.population.use and self.given:
            given = ", ".join(self.given)
            raise ValueError(f"population.use: true takes the place of {given}, for which a prior is given")
        return self


class Model(Section):
    """What the likelihood allows for beside noise."""

    jitter: float = option(
        0.0,
        "part of a source's light by which its model (PSF, profile) may be wrong, alike over all of the "
        "source; its flux is then not taken to be better known than about that; 0: the model is right",
        ge=0,
        lt=1,
    )
    misfit: Annotated[Literal["measure", "off"], OFF] = option(
        "measure",
        "measure: errors grow by what the model of a source leaves of its data beyond the noise, those of "
        "fluxes in all bands together; off: the model is right",
    )
    apertures: Positives = option(
        [0.3],
        "radii of circles on each source in which catalogs give the model's flux, beside one whose radius is "
        "the FWHM of the band's PSF",
        "arcsec",
    )


class Optimize(Section):
    """The search for the maximum of the posterior."""

    on: On = option("mosaic", "kind of images to use")
    rounds: int = option(
        6,
        "most passes over the patches: in later ones a patch is fitted again only where a fixed neighbour "
        "with light under its sources moved by more than 0.3 of its error",
        ge=1,
    )
    method: Literal["newton", "bfgs"] = option("newton", "newton: Levenberg-Marquardt on the Fisher matrix")
    gtol: float = option(0.01, "converged when -ln p is predicted to fall by less than this", gt=0)
    max_iterations: int = option(60, "most likelihood evaluations of a start", ge=1)
    use_gradients: bool = option(True, "false: finite differences (bfgs only)")
    linear_optimize: bool = option(True, "solve fluxes linearly, given the shapes, at the end")
    add_barriers: bool = option(False, "steep walls at the bounds (bfgs only)")
    max_snr: float | None = option(None, "cap on the S/N per pixel in this stage", gt=0)

    @model_validator(mode="after")
    def _of_bfgs(self):
        if self.method != "bfgs" and (self.add_barriers or not self.use_gradients):
            raise ValueError("use_gradients: false and add_barriers: true need method: bfgs")
        return self


class Sample(Section):
    """The draws from the posterior: sampler, lengths, and what is asked of them."""

    on: On = option("exposure", "kind of images to use")
    sampler: Literal["surrogate", "split", "littlemcmc", "nutpie"] = option(
        "surrogate",
        "split: Hamiltonian steps that solve the Gaussian part exactly; surrogate: along forces of the "
        "posterior reduced to a few pixels, and split where these are not enough; the others: their NUTS",
    )
    chains: int = option(4, "chains per patch", ge=1)
    warmup: int = option(64, "draws to forget the start and tune the step size, per chain", ge=1)
    sampling_draws: int = option(256, "draws kept per chain", ge=1)
    max_treedepth: int = option(9, "deepest NUTS tree", ge=1, le=15)
    full_cov: bool = option(True, "metric from the full Fisher matrix; false: its diagonal")
    target_niter: int | None = option(None, "draws that every source must get; sampling_draws when absent")
    max_rhat: float = option(1.02, "accepted R-hat", gt=1)
    min_ess: float = option(400.0, "accepted bulk and tail effective samples", gt=0)
    max_extensions: int = option(4, "times a patch may run on before it is flagged", ge=0)
    evaluations: float = option(
        1000.0,
        "evaluations for each coordinate of a patch (at least 8 for a draw and extension) after which its "
        "draws are kept as they are, flagged NOT_CONVERGED if they are not accepted",
        gt=0,
    )
    checkpoint_seconds: float = option(60.0, "time between check-points", "s", gt=0)
    residuals: bool = option(
        True,
        "keep a file of pixels and residuals for each patch, three quarters of what a run leaves; images of "
        "residuals are made without them",
    )
    max_snr: float | None = option(None, "cap on the S/N per pixel in this stage", gt=0)
    gibbs_rounds: int = option(
        2,
        "rounds for groups that were cut into patches: in the second and later ones each draw moves on with "
        "the neighbours around the patch at their own draw; 1: neighbours fixed",
        ge=1,
    )
