"""From unconstrained coordinates z to parameters, and ln p of a patch with gradient and Fisher matrix."""

from .core import Posterior
from .transform import Transform

__all__ = ["Posterior", "Transform"]
