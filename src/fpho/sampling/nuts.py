"""littlemcmc's NUTS as a step method.

What is known about littlemcmc 0.2.2 and done here: potentials in float64; the gradient at the start of a
draw is remembered instead of computed again; it draws from numpy's global generator, so that state is
swapped in while the chain runs and back afterwards.
"""

from contextlib import contextmanager

import littlemcmc
import numpy as np
from littlemcmc.quadpotential import QuadPotentialDiag, QuadPotentialFull, QuadPotentialFullAdapt

from .steps import ChainSettings, Draw, DrawStats

STEP_SCALE = 0.5  # littlemcmc starts at STEP_SCALE / ndim^(1/4): about a third of the step that is found


class Nuts:
    """NUTS with a static metric, or one that the warm-up adapts."""

    def __init__(self, function, settings: ChainSettings):
        self.function = Remember(function)
        self.method = _Method(
            self.function,
            len(settings.start),
            potential=make_potential(settings),
            target_accept=settings.target_accept,
            step_scale=STEP_SCALE,
            max_treedepth=settings.max_treedepth,
        )
        self.generator = np.random.RandomState(np.random.MT19937(settings.seed)).get_state()
        self.adapts = settings.adapt_weight is not None

    def draw(self, z, known, tune: bool) -> Draw:
        """One draw from z (ndim,), within `running`."""
        method, before = self.method, self.function.ncall
        if known is not None:
            self.function.keep(z, known)
        method.tune = tune
        end, (stats,) = method._astep(z)
        stats = DrawStats.of(stats | {"step_size": method.step_size})
        return Draw(end, self.function.known, stats, self.function.ncall - before)

    def state(self) -> dict:
        """Generator, step size and, where it is adapted, the metric; within `running`."""
        adaptation = {**vars(self.method.step_adapt), "_tuned_stats": []}
        state = {"generator": np.random.get_state(), "adaptation": adaptation}  # noqa: NPY002
        return state | ({"potential": self.method.potential} if self.adapts else {})

    def restore(self, state: dict) -> None:
        """Go on from a state; without one from the start."""
        self.generator = state.get("generator", self.generator)
        vars(self.method.step_adapt).update(state.get("adaptation", {}))
        if "potential" in state:
            self.method.potential = self.method.integrator._potential = state["potential"]

    @contextmanager
    def running(self):
        """numpy's global generator is this chain's; littlemcmc takes the log of 0 for chances that vanish."""
        outside = np.random.get_state()  # noqa: NPY002
        np.random.set_state(self.generator)  # noqa: NPY002
        try:
            with np.errstate(divide="ignore"):
                yield
        finally:
            np.random.set_state(outside)  # noqa: NPY002


class Remember:
    """ln p and gradient; at the very array that a draw ended on, what was found there."""

    def __init__(self, function):
        self.function, self.ncall = function, 0
        self.at, self.known = None, None

    def __call__(self, z):
        if z is self.at:
            return self.known
        self.ncall += 1
        return self.function(z)

    def keep(self, z, known) -> None:
        """Remember (ln p, gradient) at the array z."""
        self.at, self.known = z, known


class _Method(littlemcmc.NUTS):
    """NUTS that remembers the gradient at the end of a draw."""

    def _hamiltonian_step(self, *arguments):
        step = super()._hamiltonian_step(*arguments)
        self._logp_dlogp_func.keep(step.end.q, (step.end.logp, step.end.q_grad))
        return step


def make_potential(settings: ChainSettings):
    """The metric: static, or adapted to the draws of the warm-up in one long window."""
    if settings.adapt_weight is not None:
        n = len(settings.start)
        weight = max(float(settings.adapt_weight), n)
        window = 10 * settings.warmup + 10
        return QuadPotentialFullAdapt(n, settings.start, settings.cov, weight, window, dtype="float64")
    kind = QuadPotentialFull if settings.cov.ndim == 2 else QuadPotentialDiag
    return kind(settings.cov, "float64")
