"""A point source: fluxes and a position."""

from .parameter import Component, SourceModel

POINT = SourceModel(name="point", components=(Component(),))
