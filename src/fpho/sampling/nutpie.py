"""nutpie behind the same function: whitened by the same covariance; no check-points, no extensions."""

import numpy as np

from ..errors import InputError

NAMES = {
    "diverging": "diverging",
    "tree_size": "n_steps",
    "depth": "depth",
    "energy": "energy",
    "model_logp": "logp",
}


def sample(model, mean, cov, *, n_draws, warmup, chains, seed, max_treedepth, cores=1):
    """Draws (chain, draw, ndim), statistics (chain, draw), evaluations in draws and in warm-up.

    Raises
    ------
    InputError
        If nutpie is not installed.
    """
    try:
        import nutpie
        from nutpie.compiled_pyfunc import from_pyfunc
    except ImportError:
        cure = 'pip install "fpho[nutpie]", or set sample.sampler: littlemcmc'
        raise InputError("sample.sampler", "nutpie is not installed", cure) from None
    factor = np.diag(np.sqrt(cov)) if cov.ndim == 1 else np.linalg.cholesky(cov)
    n = len(mean)

    def make_function():
        def function(x):
            lnp, gradient = model.lnprob_and_grad(mean + factor @ x)
            return lnp, factor.T @ gradient

        return function

    def make_expand(*_):
        return lambda x: {"x": np.array(x)}

    compiled = from_pyfunc(n, make_function, make_expand, [np.dtype("f8")], [(n,)], ["x"])
    trace = nutpie.sample(
        compiled,
        draws=n_draws,
        tune=max(warmup, 64),
        chains=chains,
        cores=min(cores, chains),
        seed=int(seed.generate_state(1)[0]),
        save_warmup=True,
        progress_bar=False,
        maxdepth=max_treedepth,
    )
    z = mean + trace.posterior["x"].values @ factor.T
    found = trace.sample_stats
    stats = {name: found[theirs].values for name, theirs in NAMES.items()}
    stats["mean_tree_accept"] = found["mean_tree_accept"].values
    stats["step_size"] = found["step_size"].values
    stats["tree_size"] = stats["tree_size"].astype(int)
    warm = int(trace.warmup_sample_stats["n_steps"].values.sum())
    return z, stats, int(stats["tree_size"].sum()), warm
