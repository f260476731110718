"""Files of no instrument that is known: nothing beside what holds for all."""

from .instrument import Instrument

GENERIC = Instrument("generic")
