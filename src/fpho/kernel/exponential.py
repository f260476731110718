"""exp() of float32, for numbers and for `vectors` alike (`math.exp` in numba stays scalar).

exp(x) = 2^i 2^f with i whole and |f| <= 1/2; 2^f is a minimax polynomial of degree 5 (relative error
7e-8), 2^i is made of the exponent's bits. Added to MAGIC, a float32 is rounded to a whole number, which
then stands in its lowest bits. Relative error in float32: below 2e-7 (1 + |x|).
"""

import numpy as np

from .compiled import fused
from .vectors import clamped, power_of_two

LOWEST = np.float32(-87.0)  # below it float32 has no normal numbers, and denormals are slow
HIGHEST = np.float32(87.0)
LOG2_E = np.float32(1.4426950408889634)
MAGIC = np.float32(1.5 * 2**23)
C0, C1, C2 = np.float32(1.0000001), np.float32(0.69314694), np.float32(0.2402212)
C3, C4, C5 = np.float32(0.055507135), np.float32(0.009675541), np.float32(0.001327647)


@fused
def exponential(x):
    """exp(x) for float32 x, clamped to [-87, 87]; NaN stays. Reordered, f would lose its last digits."""
    t = clamped(x, LOWEST, HIGHEST) * LOG2_E
    shifted = t + MAGIC
    f = t - (shifted - MAGIC)
    two_f = C0 + f * (C1 + f * (C2 + f * (C3 + f * (C4 + f * C5))))
    return two_f * power_of_two(shifted)
