"""What a source model says of itself: its parameters, and the components that the kernel draws for it."""

from dataclasses import dataclass, field

RATIO, ANGLE, POSITIVE, SHARE = "ratio", "angle", "positive", "share"
KINDS = (RATIO, ANGLE, POSITIVE, SHARE)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a source model beside its fluxes and its position.

    kind : RATIO, q = sqrt(b/a), and the ANGLE that must follow it, are fitted together as an ellipticity;
        POSITIVE ones in their logarithm; a SHARE is a part between 0 and 1
    like : the section of `priors` that it takes its prior from; flat within its range when empty
    option : the option of `bounds` that replaces `range`; none when empty
    families : (loc, scale) of its prior where the configuration gives no number, by family
    """

    name: str
    unit: str
    description: str
    kind: str
    range: tuple[float, float]
    start: float
    like: str = ""
    option: str = ""
    families: dict = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class FluxShare:
    """A component's flux: the source's flux times the share `of`."""

    of: str


@dataclass(frozen=True)
class FluxRest:
    """A component's flux: the source's flux times 1 - the share `of`."""

    of: str


ALL, NONE = "all", "none"  # a component's flux: all of the source's, or none


@dataclass(frozen=True)
class Component:
    """One Sersic profile at the source's position: what feeds it.

    ellipse : name of the RATIO whose ANGLE follows it; round when None
    sersic, rhalf : name of a parameter, or a number at which it is held; a point when rhalf is None
    flux : ALL, NONE, `FluxShare` or `FluxRest` of the source's flux; one for all bands, or a tuple by band
    """

    ellipse: str | None = None
    sersic: str | float = 1.0
    rhalf: str | float | None = None
    flux: object = ALL

    @property
    def is_point(self) -> bool:
        """Whether it has no extent."""
        return self.rhalf is None

    def fluxes(self, n_bands: int) -> tuple:
        """What feeds the flux in each band."""
        return self.flux if isinstance(self.flux, tuple) else (self.flux,) * n_bands


@dataclass(frozen=True)
class SourceModel:
    """Parameters (in the order of the vector q, after fluxes and position), and `expand` to components."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    components: tuple[Component, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, in order."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def start(self) -> dict[str, float]:
        """Values to start from where nothing is known, by name."""
        return {parameter.name: parameter.start for parameter in self.parameters}

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[self.names.index(name)]

    def expand(self, n_bands: int) -> tuple[Component, ...]:
        """The components that the kernel draws for a source with fluxes in this many bands."""
        return self.components
