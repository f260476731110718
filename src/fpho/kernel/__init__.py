"""The likelihood of a patch and its derivatives; backends are modules with the same functions.

evaluate(patch, state) -> (chi2, gradient, background_gradient)
    chi2 (E,) float64: sum of weight * (data - model)^2 over each exposure;
    gradient (S, B + 7) float64: derivative of the total chi2 by `state.sources`
    (columns sersic and rhalf: through the profile);
    background_gradient (E,) float64.
evaluate_batch(work) -> for each (patch, states) of the list `work` a list of what `evaluate` returns
    to the last bit; patches of any shapes, the states of each of the same. A GPU takes all in one set of
    launches, which it needs to be busy.
evaluate_many(patch, states) -> the same for one patch.
chi_squares(patch, states) -> (W,) float64: the total chi2 of W states, one `SourceArrays` whose arrays have
    a first axis more; to the last digits that of `evaluate`, on the CPU a third cheaper without slopes.
model(patch, state) -> (T, 64) float32: the model image on the tiles (background included).
models(patch, states) -> (W, T, 64) float32: those of W states, given as for `chi_squares`.
fisher(patch, state) -> (P, P) float64: J^t W J over all pixels, P = S (B + 7) + E, in the
    order of `state.sources` row by row, then the backgrounds.
"""


def backend(name: str):
    """The module of a backend: `cpu` or `gpu`."""
    from importlib import import_module

    if name not in ("cpu", "gpu"):
        raise ValueError(f"kernel {name!r} is not known; use 'cpu' or 'gpu'")
    return import_module(f"fpho.kernel.{name}")
