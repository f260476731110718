"""Which images share a PSF that is made of their stars."""

from dataclasses import dataclass

from ..images import ExposureSpec


@dataclass(frozen=True)
class Group:
    """Images of one PSF. key : as the table of PSFs has it."""

    key: str
    specs: tuple[ExposureSpec, ...]

    @property
    def band(self) -> str:
        """The band of all of them."""
        return self.specs[0].band

    def __str__(self) -> str:
        return f"{self.key!r} of {', '.join(spec.path.name for spec in self.specs)}"


def groups_without_psf(specs, keys, per: str) -> list[Group]:
    """Images for which there is no PSF: by the key that they ask for, else by band, or one by one.

    keys : of the PSFs that there are. per : `band`, exposures of a band together; `exposure`. A mosaic always
    has a PSF of its own.
    """
    groups: dict[tuple[str, str], list[ExposureSpec]] = {}
    for spec in specs:
        if set([spec.psf] if spec.psf else [spec.id, spec.band]) & set(keys):
            continue
        own = spec.band if per == "band" and spec.kind == "exposure" else spec.id
        groups.setdefault((spec.psf or own, spec.band), []).append(spec)
    return [Group(key, tuple(some)) for (key, _), some in groups.items()]
