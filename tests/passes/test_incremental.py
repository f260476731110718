"""What is done again after a change: exactly the patches that it meets, by referees that know no plan's hash.

A survey of sixty sources under four exposures, two of which share a PSF; fits are stand-ins.
"""

import shutil

import numpy as np
import pytest
from astropy.wcs import WCS

from fpho.background.table import DTYPE, write_tweakbg
from fpho.config import make_config
from fpho.flags import Flag
from fpho.geometry import separation
from fpho.images import Exposure, write_store
from fpho.layout import Layout
from fpho.parameters import q_names
from fpho.passes import identity, running, steps
from fpho.passes.batches import past_of
from fpho.passes.needs import planned_jobs
from fpho.passes.pending import pending
from fpho.passes.plan import read_plan
from fpho.passes.results import results_of
from fpho.psf.store import write_store as write_psfs
from fpho.scene import read_scene, write_scene
from tests.images.making import DEC, RA, SCALE, header
from tests.passes import toy
from tests.scene.making import BANDS, random_rows

STEP = 40.0  # arcsec between the centres of neighbouring exposures
SIDE, PIXELS = 30.0, 64  # of an exposure: arcsec, and pixels
PSFS = {"e0": "left", "e1": "left", "e2": "right", "e3": "far"}
STAGES = ("optimize", "sample")


def sources(count: int, seed: int, start: int = 0) -> np.ndarray:
    """Faint ones, strewn over all exposures and between them."""
    rows = random_rows(count, seed, side=1.0)
    rng = np.random.default_rng(seed)
    rows["ra"] = RA + rng.uniform(-15, 3 * STEP + 15, count) / 3600 / np.cos(np.radians(DEC))
    rows["dec"] = DEC + rng.uniform(-15, 15, count) / 3600
    rows["roi"], rows["rhalf"] = 0.4, 0.1
    rows["source_index"] = start + np.arange(count)
    rows["id"] = [f"s{i}" for i in rows["source_index"]]
    return rows


class Survey:
    """A run's folder with all that patches read; `do` fits what is to be fitted."""

    def __init__(self, folder):
        self.layout, self.rows = Layout(folder), sources(60, seed=3)
        self.values, self.psfs = dict.fromkeys(PSFS, 1.0), {"left": 1.0, "right": 1.0, "far": 1.0}
        self.options = {"outdir": str(folder), "simulate.scene": "tiny", "workflow.batches": 2}
        self.options |= {"optimize.rounds": 1, "optimize.on": "exposure", "sample.on": "exposure"}
        self.options["workflow.job_seconds"] = 0.0

    def write(self) -> None:
        """All files anew, whatever has changed."""
        layout = self.layout
        exposures = [self.exposure(name, value) for name, value in self.values.items()]
        write_store(layout.pixels("exposure"), layout.meta("exposure"), exposures)
        write_psfs(layout.psf_store, {key: (psf(width), None, []) for key, width in self.psfs.items()})
        write_tweakbg(layout.background, np.zeros(0, DTYPE))
        write_tweakbg(layout.first_sky, np.zeros(0, DTYPE))
        for path in (layout.scene("initial"), layout.postop):
            write_scene(path, self.rows, BANDS)

    def exposure(self, name: str, value: float) -> Exposure:
        head = header((PIXELS, PIXELS))
        head["CRVAL1"] += int(name[1:]) * STEP / 3600 / np.cos(np.radians(DEC))
        head["CDELT1"] = head["CDELT2"] = SIDE / PIXELS / SCALE
        data = np.full((PIXELS, PIXELS), value, "f4")
        return Exposure(name, "g", "exposure", data, np.ones_like(data), WCS(head), head, psf=PSFS[name])

    def config(self, **options):
        return make_config(self.options | options)

    def do(self, stage: str, **options) -> set:
        """Sources of the patches that were fitted, those of a patch together; a dry run says the same."""
        config, fitted = self.config(**options), set()
        steps.plan(config, self.layout, stage)
        jobs = planned_jobs(self.layout.plan(stage))
        for step in sorted({step for step, _ in jobs}):
            for batch in [batch for one, batch in jobs if one == step]:
                waiting = self.waiting(config, stage, step, batch)
                toy.FITTED.clear()
                steps.run_batch(config, self.layout, stage, step, batch)
                assert set(toy.FITTED) == waiting
                fitted |= waiting
            steps.gather(config, self.layout, stage, step)
        steps.finish(config, self.layout, stage)
        return fitted

    def waiting(self, config, stage: str, step: int, batch: int) -> set:
        """A dry run of a batch."""
        layout, made = self.layout, read_plan(self.layout.plan(stage))
        chosen, (rows, bands, _) = made.chosen(step, batch), read_scene(layout.state_before(stage, step))
        past = past_of(layout, stage, step, chosen)
        return {one.active for one in pending(config, layout, stage, made, chosen, rows, bands, past)}

    def patches(self, stage: str) -> list:
        return list(read_plan(self.layout.plan(stage)).patches)

    def under(self, stage: str, names) -> tuple[set, set]:
        """Patches whose circles touch some square exposures, and those that touch circles around these."""
        inside, around = set(), set()
        for patch in self.patches(stage):
            for name in names:
                ra = RA + int(name[1:]) * STEP / 3600 / np.cos(np.radians(DEC))
                region, east = patch.region, (patch.region.ra - ra) * 3600 * np.cos(np.radians(DEC))
                beyond = np.abs([east, 3600 * (region.dec - DEC)]) - SIDE / 2
                if np.hypot(*np.maximum(beyond, 0)) < region.radius:
                    inside.add(patch.active)
                if separation(region.ra, region.dec, ra, DEC) < region.radius + 0.52 * np.sqrt(2) * SIDE:
                    around.add(patch.active)
        return inside, around


def psf(width: float) -> np.ndarray:
    return np.array([[[1.0, 0.0, 0.0, width, width, 0.0]]])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder of a survey that was done."""
    made = Survey(tmp_path_factory.mktemp("survey"))
    made.write()
    with pytest.MonkeyPatch.context() as patch:
        with_stand_ins(patch)
        for stage in STAGES:
            assert made.do(stage) == {patch.active for patch in made.patches(stage)}
            assert len(made.patches(stage)) > 40
            assert made.do(stage) == set(), "nothing has changed"
    return made.layout.outdir


def with_stand_ins(patch) -> None:
    patch.setattr(identity, "code_hash", lambda *modules, **options: "code")
    patch.setattr(running, "worker", lambda stage: toy.still if stage == "optimize" else toy.still_drawn)


@pytest.fixture
def survey(done, tmp_path, monkeypatch):
    """That survey, its files written anew."""
    with_stand_ins(monkeypatch)
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    made = Survey(tmp_path)
    made.write()
    return made


@pytest.mark.parametrize("stage", STAGES)
def test_files_that_are_made_again_alike_redo_nothing(survey, stage):
    assert survey.do(stage) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_one_exposure_redoes_what_lies_on_it(survey, stage):
    survey.values["e2"] = 2.0
    survey.write()
    redone = survey.do(stage)
    inside, around = survey.under(stage, ["e2"])
    assert inside <= redone <= around
    assert 5 < len(redone) < len(survey.patches(stage)) / 2


@pytest.mark.parametrize("stage", STAGES)
def test_one_psf_redoes_what_lies_on_its_exposures(survey, stage):
    survey.psfs["left"] = 1.5
    survey.write()
    redone = survey.do(stage)
    inside, around = survey.under(stage, ["e0", "e1"])
    assert inside <= redone <= around
    assert 10 < len(redone) < 0.8 * len(survey.patches(stage))


@pytest.mark.parametrize(
    ("option", "value", "stages"),
    [
        ("optimize.max_snr", 50.0, {"optimize"}),
        ("sample.warmup", 99, {"sample"}),
        ("priors.flux", {"name": "normal"}, set(STAGES)),
        ("optimize.rounds", 2, set()),
        ("postprocess.max_plots", 1, set()),
        ("workflow.batches", 3, set()),
    ],
)
def test_one_option_redoes_all_patches_of_the_passes_that_it_belongs_to(survey, option, value, stages):
    for stage in STAGES:
        redone = survey.do(stage, **{option: value})
        assert redone == ({patch.active for patch in survey.patches(stage)} if stage in stages else set())


@pytest.mark.parametrize("stage", STAGES)
def test_ten_sources_that_changed_redo_the_patches_that_they_shine_into(survey, stage):
    moved = np.arange(0, 60, 6)
    survey.rows["g"][moved] *= 1.01
    survey.write()
    redone = survey.do(stage)
    assert redone == touched(survey, stage, moved)
    assert 10 <= len(redone) < 0.7 * len(survey.patches(stage))


@pytest.mark.parametrize("stage", STAGES)
def test_ten_more_sources_redo_the_patches_that_they_shine_into(survey, stage):
    """Numbers of patches in the plan are others then; draws of the patches that stay are the same bytes."""
    before = files(survey) if stage == "sample" else {}
    survey.rows = np.concatenate([survey.rows, sources(10, seed=8, start=60)])
    survey.write()
    redone = survey.do(stage)
    assert redone == touched(survey, stage, np.arange(60, 70))
    assert 10 <= len(redone) < 0.7 * len(survey.patches(stage))
    if stage == "sample":
        after = files(survey)
        kept = {active for active in after if active not in redone}
        assert len(kept) > 25 and all(after[active] == before[active] for active in kept)
        assert all(after.get(active) != before.get(active) for active in redone)


def touched(survey, stage: str, changed) -> set:
    """Patches that have one of the sources, fitted or fixed."""
    return {
        patch.active
        for patch in survey.patches(stage)
        if set(changed) & {*patch.active, *patch.halo, *patch.fixed}
    }


def files(survey) -> dict:
    """Bytes of the draws, by the sources of the patch."""
    return {one.patch.active: one.record.read() for one in results_of(survey.layout)}


def test_stand_ins_fit_nothing_that_neighbours_would_see(survey):
    """Else what follows a change would have to be followed, too."""
    final = toy.still_of(survey.rows)
    assert all(np.array_equal(final[name], survey.rows[name]) for name in q_names(BANDS))
    assert not np.any(final["flags"] & int(Flag.OPTIMIZE_FAILED))
