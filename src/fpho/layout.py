"""The only place that names the files in a run's folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["mosaic", "exposure"]  # of images
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Layout:
    """Paths of a run. `kind` is one of KINDS; `stage` is `optimize`, `reoptimize` or `sample`."""

    outdir: Path

    def __truediv__(self, name) -> Path:
        return Path(self.outdir) / name

    # inputs drawn by the `simulate` stage
    @property
    def simulation(self) -> Path:
        """Folder of what the `simulate` stage has drawn."""
        return self / "simulation"

    @property
    def truth(self) -> Path:
        """Table of what the `simulate` stage has drawn."""
        return self.simulation / "truth.fits"

    @property
    def config(self) -> Path:
        """The configuration as used (YAML), every option present."""
        return self / "config.yaml"

    @property
    def config_json(self) -> Path:
        """The same as JSON."""
        return self / "config.json"

    @property
    def checked(self) -> Path:
        """What `check` found: the inputs and their checksums (JSON)."""
        return self / "inputs.json"

    @property
    def psf_store(self) -> Path:
        """Mixtures of all PSFs."""
        return self / "psf" / "psfs.h5"

    @property
    def psf_quality(self) -> Path:
        """How well each mixture does (table)."""
        return self / "psf" / "quality.ecsv"

    @property
    def star_psfs(self) -> Path:
        """Folder of PSFs that are made from stars, their pictures and table."""
        return self / "psf" / "stars"

    @property
    def psf_plots(self) -> Path:
        """Folder of pictures of PSFs and their mixtures."""
        return self / "psf" / "plots"

    @property
    def sersic_table(self) -> Path:
        """Mixtures of Sersic profiles."""
        return self / "sersic" / "mixtures.h5"

    def pixels(self, kind: str) -> Path:
        """Folder with a file for each exposure."""
        return self / "stores" / f"{kind}_pixels"

    def meta(self, kind: str) -> Path:
        """Index of these files, without which none is read."""
        return self / "stores" / f"{kind}_meta.h5"

    @property
    def stores(self) -> list[Path]:
        """Indices of the exposures of both kinds; they have a checksum of each exposure's file."""
        return [self.meta(kind) for kind in KINDS]

    def image_group(self, stage: str, group, n_groups) -> Path:
        """What the images of one group gave in a stage that is divided."""
        return self / "groups" / f"{stage}_group{group}of{n_groups}.json"

    def log(self, job: str) -> Path:
        """What a job has said."""
        return self / "logs" / f"{job}.log"

    def benchmark(self, job: str) -> Path:
        """Time and memory that a job took, as Snakemake measures them (TSV)."""
        return self / "benchmarks" / f"{job}.tsv"

    def progress(self, job: str) -> Path:
        """Undeclared record of how far a job is, see `fpho.progress`."""
        return self / "progress" / f"{job}.json"

    def scene(self, stage: str) -> Path:
        """Scene state after a stage: `initial`, `optimize`, `detect`, `reoptimize`, `sample`."""
        return self / "scene" / f"{stage}.fits"

    def plan(self, stage: str) -> Path:
        """Patches of a stage, as columns (HDF5)."""
        return self / "plans" / f"{stage}.h5"

    def batch(self, stage: str, colour, batch) -> Path:
        """Updated rows and log of the patches of one colour and batch of a stage."""
        return self / "batches" / f"{stage}_colour{colour}_batch{batch}.h5"

    def state_after(self, stage: str, colour) -> Path:
        """Scene state after one colour of a stage, gathered from its batches."""
        return self / "batches" / f"{stage}_colour{colour}.fits"

    def patch_log(self, stage: str, colour=None) -> Path:
        """What became of each patch of a stage (JSON), or of one of its colours."""
        state = self.scene(stage) if colour is None else self.state_after(stage, colour)
        return state.with_suffix(".log.json")

    def state_before(self, stage: str, colour="all") -> Path:
        """Scene state that a colour of a pass reads, or the whole of it (`all`)."""
        if colour in ("all", 0):
            starts = {"optimize": self.scene("initial"), "reoptimize": self.scene("detect")}
            return starts.get(stage, self.postop)
        return self.state_after(stage, colour - 1)

    def work(self, stage: str) -> Path:
        """Undeclared work folder of a stage: check-points of patches, named by hash."""
        return self / "work" / stage

    @property
    def first_sky(self) -> Path:
        """Table of backgrounds (TSV) that the first optimization starts with."""
        return self / "background" / "first_sky.tsv"

    @property
    def background(self) -> Path:
        """Table of backgrounds (TSV), used by later stages and editable."""
        return self / "background" / "tweakbg.tsv"

    @property
    def registration(self) -> Path:
        """Table of shifts of the exposures (TSV), used by later stages and editable."""
        return self / "background" / "tweakwcs.tsv"

    @property
    def postop(self) -> Path:
        """Catalog of the optimum, from which sampling starts."""
        return self / "catalogs" / "postop_catalog.fits"

    @property
    def structure(self) -> Path:
        """Table (TSV) of what no smooth profile describes in the field's galaxies, used by later stages."""
        return self / "background" / "structure.tsv"

    @property
    def patches(self) -> Path:
        """Folder of finished patches, with their draws and residuals."""
        return self / "patches"

    def records(self, stage: str, batch) -> Path:
        """Finished patches of a batch of a pass: what became of them, draws and residuals; append-only."""
        return self.patches / f"{stage}_batch{batch}.records"

    def samples(self, patch) -> Path:
        """Draws of a patch that was fitted by hand, given its number."""
        return self.patches / f"patch{patch}_samples.h5"

    def residuals(self, patch) -> Path:
        """Its pixels less the model."""
        return self.patches / f"patch{patch}_residuals.h5"

    @property
    def catalogs(self) -> Path:
        """Folder of all catalogs."""
        return self / "catalogs"

    @property
    def posterior(self) -> Path:
        """Catalog of percentiles; the same as ECSV beside it."""
        return self.catalogs / "posterior.fits"

    @property
    def learned(self) -> Path:
        """Catalog under the population that the field taught."""
        return self.catalogs / "learned.fits"

    @property
    def population(self) -> Path:
        """That population, as options."""
        return self.catalogs / "population.yaml"

    @property
    def apertures(self) -> Path:
        """Model's fluxes within circles beside aperture photometry."""
        return self.catalogs / "apertures.ecsv"

    @property
    def chains(self) -> Path:
        """Catalog of draws; the same as ECSV beside it."""
        return self.catalogs / "chains.fits"

    @property
    def summary(self) -> Path:
        """One page of HTML about the run."""
        return self / "summary.html"

    @property
    def page(self) -> Path:
        """Folder of the page on which a person looks at the field and its sources."""
        return self / "page"

    @property
    def sheets(self) -> Path:
        """Sheets of single sources, made when asked for."""
        return self / "sheets"

    @property
    def comparison(self) -> Path:
        """Results of a simulated run against its truth: folder of tables and plots."""
        return self / "comparison"

    @property
    def images(self) -> Path:
        """Folder of model and residual images."""
        return self / "images"

    @property
    def regions(self) -> Path:
        """Folder of regions for DS9."""
        return self / "regions"

    @property
    def plots(self) -> Path:
        """Folder of plots of the field, its images and patches."""
        return self / "plots"

    @property
    def calibration(self) -> Path:
        """Results of `calibrate`: a file for each trial, tables, plots, a page."""
        return self / "calibration"

    @property
    def field_calibration(self) -> Path:
        """Results of `calibrate --field`: a table for each simulated field, figures, a page."""
        return self / "calibration_field"

    @property
    def injection(self) -> Path:
        """Images with simulated sources and the run on them, by `inject`."""
        return self / "injection"
