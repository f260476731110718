"""Source models that only the tests know: what a model file may say, beyond those that the project has."""

from dataclasses import replace

from fpho.models import NONE, SERSIC, SHARE, Component, FluxRest, FluxShare, Parameter, SourceModel

SHARE_OF_BULGE = Parameter(
    "bulge_share", "", "the bulge's part of the flux, in all bands", SHARE, (0, 1), 0.3
)


def bulge(name: str) -> Parameter:
    """The bulge's own parameter: what Sersic's is, without an option of its own."""
    return replace(SERSIC[name], name=f"bulge_{name}", option="")


BULGE_DISC = SourceModel(
    name="bulge_disc",
    parameters=(*SERSIC.parameters, SHARE_OF_BULGE, *map(bulge, ("q", "pa", "rhalf"))),
    components=(
        Component(ellipse="q", sersic="sersic", rhalf="rhalf", flux=FluxRest("bulge_share")),
        Component(ellipse="bulge_q", sersic=4.0, rhalf="bulge_rhalf", flux=FluxShare("bulge_share")),
    ),
)


class SizeByBand(SourceModel):
    """A shape that varies with wavelength: one component for each band, with a radius of its own."""

    def expand(self, n_bands):
        radii = ("rhalf", *(p.name for p in self.parameters[len(SERSIC.parameters) :]))
        only = [tuple("all" if b == k else NONE for b in range(n_bands)) for k in range(n_bands)]
        return tuple(
            Component(ellipse="q", sersic="sersic", rhalf=radius, flux=flux)
            for radius, flux in zip(radii, only, strict=True)
        )


SIZE_BY_BAND = SizeByBand(
    name="size_by_band",
    parameters=(*SERSIC.parameters, replace(SERSIC["rhalf"], name="rhalf_2", option="")),
)
