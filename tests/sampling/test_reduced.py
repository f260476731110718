"""The reduced posterior against the true one, and draws along its forces: right whatever it is."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from fpho.config import Priors
from fpho.optimize import run_opt
from fpho.parameters import source_vector
from fpho.posterior import Posterior
from fpho.results import Summary
from fpho.sampling import chains as several
from fpho.sampling import learning, lmc, rules, run_lmc
from fpho.sampling.chain import run_chain, run_together
from fpho.sampling.learning import learn_forces
from fpho.sampling.reduced import ReducedPosterior, TruePosterior, basis, make_target, reduce
from fpho.sampling.reduced.forces import ROUGH
from fpho.sampling.ridge import coordinates
from fpho.sampling.rules import Limits, Phase, extend
from fpho.sampling.start import find_start
from fpho.sampling.steps import ChainSettings

from ..posterior.models import BULGE_DISC, SIZE_BY_BAND
from ..posterior.scenes import DEC, RA, TABLE, make_arrays, make_rows, wide_bounds
from ..posterior.test_exposure_terms import FluxScale
from ..posterior.test_models import posterior as with_model
from .test_sampling import Gaussian

BANDS = ("g", "r")
GALAXY = {"g": 150.0, "r": 120.0}
PAIR = (GALAXY, {"g": 60.0, "r": 90.0, "sersic": 2.5, "offset": (0.35, 0.2)})
STAR = {"g": 60.0, "r": 40.0, "is_point": True, "offset": (-0.6, 0.5)}


def posterior(*sources, **options) -> tuple[Posterior, np.ndarray]:
    """Sources in two bands, two rotated and dithered exposures of each; and z where they are."""
    rows = make_rows(BANDS, *sources)
    arrays = make_arrays(rows, BANDS, size=48, n_exposures=4)
    model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC), **options)
    return model, model.transform.inverse_transform(source_vector(rows, BANDS, (RA, DEC)))


def started(model, z):
    """(ridge coordinates, start) at the optimum of a posterior."""
    optimum, _ = run_opt(model, model.transform.transform(z))
    start = find_start(model, optimum.q, None, True, False)
    return coordinates(model, start), start


@pytest.fixture(scope="module")
def pair():
    return started(*posterior(*PAIR, STAR))


@pytest.fixture(scope="module")
def learnt(pair):
    return learn_forces(*pair, np.random.default_rng(1))


def in_float64(whole: TruePosterior, y) -> np.ndarray:
    """ln p (W,) of the reduced posterior at y (W, ndim), its formula written out in float64."""
    lnp, states = whole._arranged(y)
    nodes = whole.target[4]
    for w in range(len(y)):
        value = [values_at_nodes(nodes, i, states[w]) for i in range(len(nodes.piece))]
        place, like, slices = 0, 0.0, [slice(*ends) for ends in pairwise(nodes.start)]
        for i, j in nodes.pair:
            block = nodes.products[place : place + len(value[i]) * len(value[j])].astype("f8")
            like -= (0.5 if i == j else 1.0) * value[i] @ block.reshape(len(value[i]), -1) @ value[j]
            place += block.size
        like += sum(nodes.data[at].astype("f8") @ v for at, v in zip(slices, value, strict=True))
        sky = states.background[w][: len(nodes.sky_data)]
        left = nodes.sky_data - nodes.sky_image.astype("f8") @ np.concatenate(value)
        lnp[w] += like + sky @ (left - 0.5 * sky * nodes.sky_weight)
    return lnp


def values_at_nodes(nodes, i: int, state) -> np.ndarray:
    """F m less the middle, at the nodes of a piece."""
    (n, b), at = nodes.piece[i], slice(nodes.start[i], nodes.start[i + 1])
    c, d = state.sources.shape[1] - 7, nodes.scale[i]
    east, north, ee, nn, en = state.sources[n, c : c + 5]
    centre, image = d @ [east, north], 0.0
    for a, v, *_ in state.profile[n, : state.profile_count[n]]:
        for height, px, py, xx, yy, xy in nodes.psf[i, : nodes.psf_count[i]]:
            cov = v * d @ [[ee, en], [en, nn]] @ d.T + [[xx, xy], [xy, yy]]
            away = np.stack([nodes.x[at], nodes.y[at]]) - (centre + [px, py])[:, None]
            far = np.sum(away * np.linalg.solve(cov, away), axis=0)
            image += a * height * np.exp(-0.5 * far) / (2 * np.pi * np.sqrt(np.linalg.det(cov)))
    return state.sources[n, b] * nodes.gain[i] * image - nodes.middle[at]


MODELS = {
    "bulge and disc": lambda: with_model(BULGE_DISC),
    "sizes by band": lambda: with_model(SIZE_BY_BAND),
    "a sky in the fit": lambda: posterior(*PAIR, in_fit_background=True),
    "the population's prior": lambda: posterior(*PAIR, STAR, priors=Priors()),
}


@pytest.mark.parametrize("name", MODELS)
def test_ln_p_and_forces_are_nearly_those_of_the_posterior(name):
    """At draws of the Gaussian at the optimum; and forces are slopes of their own ln p."""
    target, start = started(*MODELS[name]())
    rng, n = np.random.default_rng(2), len(start.z)
    factor = np.linalg.cholesky(start.cov)
    design = start.z + 1.2 * rng.standard_normal((150, n)) @ factor.T
    z = target.to_z(design)[0]
    compiled = make_target(target.model, target.coefficients, reduce(target.model, z))
    reduced = ReducedPosterior(compiled, start.z, start.cov)
    u = rng.standard_normal((40, n))
    y = start.z + u @ factor.T
    true = [target.lnprob_and_grad(place) for place in y]
    difference = np.array([lnp for lnp, _ in true]) - reduced.lnp(y)
    whole = TruePosterior(
        target.model, compiled
    )  # without slopes the same to the last digits of float32 sums
    assert np.allclose(whole.lnprobs(y), [lnp for lnp, _ in true], rtol=0, atol=0.02)
    assert np.array_equal(whole.lnprobs([y[1], np.nan * y[0]]), [whole.lnprobs(y)[1], -np.inf])
    assert difference.std() < 0.25 and np.abs(difference - np.median(difference)).max() < 1.0
    for place, (_, slope) in zip(u[:10], true, strict=False):
        force = reduced.at(start.z + factor @ place)[1]
        assert np.abs(force - (slope @ factor + place)).max() < 0.6
        ends = [start.z + factor @ (place + sign * h) for h in 1e-4 * np.eye(n) for sign in (1, -1)]
        exact = in_float64(whole, np.array(ends))
        by_difference = -np.diff(exact.reshape(n, 2), axis=1)[:, 0] / 2e-4
        assert np.allclose(by_difference, force - place, atol=2e-5 * np.abs(force).max() + 1e-5)
        assert np.ptp(reduced.lnp(np.array(ends)) - exact) < 1e-4  # as far as float32 goes


def test_few_nodes_tell_all_pixels(pair):
    """The sources of the pair have some tens of nodes in a band, of 4,608 pixels in two exposures of it."""
    target, start = pair
    z = target.to_z(start.z + np.random.default_rng(3).standard_normal((100, len(start.z))) * 0.02)[0]
    nodes = reduce(target.model, z)
    count = np.diff(nodes.start)
    assert len(count) == 6 and count.max() <= 64 and np.all(count % basis.ROW == 0)
    assert {tuple(pair) for pair in nodes.pair} >= {(i, i) for i in range(6)} | {(0, 1), (3, 4)}
    assert len(nodes.sky_data) == 0


@pytest.mark.parametrize(("flux", "pairs"), [(150.0, {(0, 1), (2, 3)}), (0.01, set())])
def test_sources_that_are_apart_have_no_products(flux, pairs):
    """Two galaxies 0.8 arcsec apart: bright ones have some light in common, faint ones none that counts."""
    galaxy = {"g": flux, "r": flux, "rhalf": 0.05}
    model, z = posterior(galaxy, {**galaxy, "offset": (0.6, -0.6)})
    some = z + 0.02 * np.random.default_rng(5).standard_normal((60, len(z)))
    some[:, model.plan.linear] = z[model.plan.linear]
    found = set(map(tuple, reduce(model, some).pair))
    assert found == {(i, i) for i in range(4)} | pairs


def test_memory_does_not_grow_with_exposures():
    """Images of a design are held of one exposure at a time, basis images of the one with the nodes."""
    peaks = []
    for n in (4, 16):
        rows = make_rows(BANDS, GALAXY)
        arrays = make_arrays(rows, BANDS, size=48, n_exposures=n)
        model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC))
        z = model.transform.inverse_transform(source_vector(rows, BANDS, (RA, DEC)))
        design = z + 0.02 * np.random.default_rng(6).standard_normal((200, len(z)))
        tracemalloc.start()
        reduce(model, design)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_memory_does_not_grow_with_dark_pixels():
    """Images of a design are held where their source has light: a large patch has that of many."""
    peaks, numbers = [], []
    for size in (96, 384):
        rows = make_rows(BANDS, GALAXY)
        arrays = make_arrays(rows, BANDS, size=size, n_exposures=4)
        model = Posterior(arrays, rows, BANDS, TABLE, wide_bounds(rows, BANDS), reference=(RA, DEC))
        z = model.transform.inverse_transform(source_vector(rows, BANDS, (RA, DEC)))
        design = z + 0.02 * np.random.default_rng(6).standard_normal((200, len(z)))
        tracemalloc.start()
        numbers.append(len(reduce(model, design).data))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        drawn = basis.Design.of(model, design)
        for e, one in enumerate(drawn.exposures):
            tiles = basis.lit(drawn.images(0, one.band[0], e, drawn.few(0)))
            near = drawn.within(0, e, drawn.reach(0, e, tiles))
            assert np.isin(basis.lit(drawn.images(0, one.band[0], e)), near).all()
    assert peaks[1] < 1.2 * peaks[0] and numbers[0] == numbers[1]


def test_without_a_pixel_that_sees_a_source_true_forces_are_followed():
    model, z = posterior(GALAXY)
    model.arrays = model.arrays.with_fields(weight=np.zeros_like(model.arrays.weight))
    start = find_start(model, model.transform.transform(z), None, True, False)
    assert learn_forces(coordinates(model, start), start, np.random.default_rng(1)) == (None, 0)


def test_a_band_without_pixels_has_no_nodes():
    model, z = posterior(*PAIR)
    weight = model.arrays.weight.copy()
    for e in np.flatnonzero(model.arrays.band == 1):
        weight[slice(*model.arrays.exposure_start[e : e + 2])] = 0
    model.arrays = model.arrays.with_fields(weight=weight)
    assert set(reduce(model, np.stack([z, z + 0.01])).piece[:, 1]) == {0}


def test_an_overlapping_pair_is_learnt(learnt):
    forces, ncall = learnt
    assert forces.difference < learning.GOOD and not forces.rough and ncall <= 64
    assert 1 <= forces.hops <= learning.MOST_HOPS and forces.n_steps in learning.STEPS


def chain_settings(learnt, n: int, **options) -> list[ChainSettings]:
    seeds = several.spawned(np.random.SeedSequence(4), n)
    return [
        ChainSettings(
            learnt.starts[i], learnt.mean, learnt.cov, seed, warmup=4, sampler="surrogate", learnt=learnt,
            **options,
        )
        for i, seed in enumerate(seeds)
    ]  # fmt: skip


def test_chains_are_the_same_together_alone_and_taken_up(pair, learnt, tmp_path):
    target, forces = pair[0].lnprob_and_grad, replace(learnt[0], difference=ROUGH + 0.1)
    assert learnt[0].ahead > 1 == forces.ahead
    for one in (learnt[0], forces):  # the second now and then follows true forces
        settings = chain_settings(one, 3)
        together = run_together(target, settings, 30, 0, [None] * 3)
        for k, chain in enumerate(together):
            alone = run_chain(target, settings[k], 30)
            assert np.array_equal(alone.draws, chain.draws) and alone.costs == chain.costs
        by_one = None  # though rejections are found only some draws later
        for n in range(1, 31):
            by_one = run_chain(target, settings[0], n, chain=by_one)
        assert np.array_equal(by_one.draws, together[0].draws) and by_one.ncall <= together[0].ncall
        kept = replace(settings[1], checkpoint=str(tmp_path / f"chain{one.rough}"))
        run_chain(target, kept, 11)
        assert np.array_equal(run_chain(target, kept, 30).draws, together[1].draws)


@pytest.mark.parametrize("fail_after", [1, 16])
def test_an_interrupted_run_is_the_same_in_the_end(pair, tmp_path, fail_after, monkeypatch):
    """Killed while forces are learnt, or in its chains: the same draws and evaluations."""
    model = pair[0].model
    q, options = model.transform.transform(pair[1].z), {"n_draws": 60, "seed": 9, "warmup": 8}
    whole, _, _ = run_lmc(model, q, **options)
    kept = {"checkpoint": str(tmp_path / "chain"), "checkpoint_seconds": 0.02}
    evaluate, left = model.kernel.chi_squares, iter(range(fail_after))

    def failing(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return evaluate(*arguments)

    with monkeypatch.context() as context, pytest.raises(KeyboardInterrupt):
        context.setattr(model.kernel, "chi_squares", failing)
        run_lmc(model, q, **options, **kept)
    resumed, _, _ = run_lmc(model, q, **options, **kept)
    assert np.array_equal(whole.z, resumed.z) and whole.ncall == resumed.ncall


@pytest.fixture(scope="module")
def reference(pair):
    """2,000 draws along true forces."""
    model = pair[0].model
    q = model.transform.transform(pair[1].z)
    return run_lmc(model, q, n_draws=500, seed=5, sampler="split")[0]


def wrong(forces, factor: float):
    """The same forces with data of other brightness: means off by some errors."""
    nodes, place = forces.target[4], 0
    whole = nodes.data.astype("f8")  # b of the images themselves, not of what they have more than the middle
    slices = [slice(*ends) for ends in pairwise(nodes.start)]
    for i, j in nodes.pair:
        (a, n), (b, m) = ((slices[k], len(nodes.data[slices[k]])) for k in (i, j))
        block = nodes.products[place : place + n * m].reshape(n, m).astype("f8")
        whole[a] += block @ nodes.middle[b]
        if i != j:
            whole[b] += block.T @ nodes.middle[a]
        place += n * m
    fainter = nodes._replace(data=(nodes.data + (factor - 1) * whole).astype("f4"))
    return replace(forces, target=(*forces.target[:4], fainter))


@pytest.mark.parametrize("factor", [1.0, 0.985])
def test_draws_are_those_of_the_posterior_whatever_was_learnt(pair, learnt, reference, factor):
    """Right forces, and forces of a galaxy that is 1.5% fainter: the same means and widths."""
    target, forces = pair[0], wrong(learnt[0], factor)
    chains = run_together(
        target.lnprob_and_grad, chain_settings(forces, 4), 500 if factor == 1 else 1500, 0, [None] * 4
    )
    y, stats = several.collect_draws(chains, slice(100, None))
    z = target.to_z(y)[0].reshape(-1, target.ndim)
    accepted = stats["mean_tree_accept"].mean()
    assert accepted > 0.85 if factor == 1 else 0.05 < accepted < 0.85
    true = reference.z.reshape(-1, target.ndim)
    sd = true.std(axis=0)
    assert np.abs((z.mean(axis=0) - true.mean(axis=0)) / sd).max() < 0.25
    assert np.abs(z.std(axis=0) / sd - 1).max() < 0.2


def test_a_patch_is_accepted_with_few_evaluations(pair):
    """400 effective samples, bulk and tail, of 25 coordinates for 1,024 draws, and the same on two cores."""
    model = pair[0].model
    q = model.transform.transform(pair[1].z)
    runs = [run_lmc(model, q, n_draws=256, seed=seed, limits=Limits())[0] for seed in (6, 7, 8)]
    assert all(run.summary.accepted and run.settings.learnt_forces for run in runs)
    assert np.median([run.ncall for run in runs]) < 2500
    on_two = run_lmc(model, q, n_draws=256, seed=6, limits=Limits(), cores=2)[0]
    assert np.array_equal(runs[0].z, on_two.z) and runs[0].ncall == on_two.ncall


def test_draws_do_not_depend_on_threads_of_linear_algebra(pair):
    """As a worker has one, and the only process of a job all."""
    model = pair[0].model
    q = model.transform.transform(pair[1].z)
    draws = []
    for n in (1, 2):
        with threadpool_limits(limits=n, user_api="blas"):
            draws.append(run_lmc(model, q, n_draws=20, seed=6)[0].z)
    assert np.array_equal(*draws)


def test_forces_are_learnt_anew_from_draws(pair, learnt, monkeypatch):
    """Where the first ones are not enough, those of the next phase know the places of the draws."""
    target, start = pair
    monkeypatch.setattr(lmc, "learn_forces", lambda *_: (wrong(learnt[0], 0.97), 16))
    settings = chain_settings(replace(learnt[0], difference=0.1), 4, target_accept=0.9)
    settings = [replace(one, learnt=None, budget=np.inf) for one in settings]
    seed, limits = np.random.SeedSequence(7), Limits(max_extensions=2, evaluations=1e6)
    out = lmc.until_accepted(target, settings, start, 128, limits, 10, 1, None, seed)
    assert out.phase.segment >= 1 and out.phase.learnt is not None
    assert out.phase.learnt.difference < ROUGH
    assert out.n_learning > 16


def test_what_cannot_be_reduced_follows_true_forces():
    """Models without an image, moving exposures, and reduced posteriors that are far off."""
    moving = started(*posterior(GALAXY, moving_terms=(FluxScale(),)))
    assert learn_forces(*moving, np.random.default_rng(1)) == (None, 0)
    out, _, _ = run_lmc(Gaussian(3), Gaussian(3).mean, n_draws=20, seed=1)
    assert not out.settings.learnt_forces


def test_useless_forces_are_not_used(pair, monkeypatch):
    monkeypatch.setattr(learning, "USELESS", 0.0)
    forces, ncall = learn_forces(*pair, np.random.default_rng(1))
    assert forces is None and ncall > 0


def test_posteriors_that_are_hard_go_on_with_a_new_reference(learnt):
    """Cheap draws are continued if that may do; else the reference is renewed from all draws."""
    forces = learnt[0]
    summary = Summary(1.01, "x", 200.0, "x", 300.0, "x", 0, 0.0, 1.0)
    phase = Phase(0, 100, 0, np.zeros(2), np.eye(2), 0.9, learnt=forces)
    z = np.random.default_rng(8).standard_normal((4, 100, 2))
    longer = extend(phase, summary, z, Limits())
    assert longer.learnt is forces and (longer.first, longer.total, longer.segment) == (0, 240, 0)
    for miss in ({"min_bulk_ess": 60.0}, {"max_rhat": rules.RHAT_LOST}, {"divergences": 1}):
        other = extend(phase, replace(summary, **miss), z, Limits())
        assert other.learnt is None and (other.first, other.segment, other.extensions) == (100, 1, 0)
        assert extend(other, summary, z, Limits()).extensions == 1
    assert extend(longer, summary, z, Limits()).learnt is forces
    assert extend(longer, replace(summary, min_tail_ess=60.0), z, Limits()).learnt is None
    mixed = replace(summary, min_bulk_ess=600.0, min_tail_ess=500.0, max_rhat=1.03)
    again = extend(longer, mixed, z, Limits())
    assert again.learnt is forces and (again.first, again.total, again.extensions) == (0, 360, 2)
    assert extend(replace(longer, learnt=None), mixed, z, Limits()).segment == 1


@pytest.mark.parametrize(
    ("sampler", "learns"), [("surrogate", True), ("split", False), ("littlemcmc", False)]
)
def test_result_tells_whether_forces_were_learnt(pair, sampler, learns):
    model = pair[0].model
    out, _, _ = run_lmc(model, model.transform.transform(pair[1].z), n_draws=5, seed=1, sampler=sampler)
    assert out.settings.learnt_forces is learns
