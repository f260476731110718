"""A field's own population, learned from the posteriors of its sources, and their draws reweighted by it.

Draws were made under an interim prior that is known. With a population p(x | theta) of x = (flux, size,
index) the likelihood of theta is the product over the sources of the mean over draws of p(x | theta) /
interim prior(x) (Foreman-Mackey, Hogg, Morton 2014, ApJ 795, 64, equation 9); at its maximum the same ratios,
for each source, are weights of its draws.
"""

from .draws import SourceDraws, drawn_sources
from .fit import Learned, learn
from .weights import reweighted

__all__ = ["Learned", "SourceDraws", "drawn_sources", "learn", "reweighted"]
