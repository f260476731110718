"""Arguments of the shape of `image`: one, a list, or by band one or a list."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError


@dataclass(frozen=True)
class Place:
    """Where an image stands in the argument: its band (None where none is given), its number in a list."""

    band: str | None = None
    number: int | None = None


def places(image) -> list[Place]:
    """The places of all images, in order."""
    if isinstance(image, Mapping):
        if not image:
            raise InputError("image", "an empty dict", "Give at least one image")
        return [Place(str(band), place.number) for band, some in image.items() for place in places(some)]
    if not isinstance(image, list | tuple):
        return [Place()]
    if not image:
        raise InputError("image", "an empty list", "Give at least one image")
    if any(isinstance(one, Mapping | list | tuple) for one in image):
        raise InputError("image", "a list within a list", "Give a list of images, or a dict by band")
    return [Place(None, number) for number in range(len(image))]


def spread(value, name: str, shape: list[Place]) -> list:
    """The argument's value for each image: one for all, or in the shape of `image`.

    Raises
    ------
    InputError
        If bands or numbers of images differ.
    """
    if isinstance(value, Mapping):
        bands = [place.band for place in shape]
        unknown = sorted(set(map(str, value)) ^ {band for band in bands if band})
        if None in bands or unknown:
            named = ", ".join(unknown) or "bands"
            raise InputError(name, f"it and image do not have the same bands ({named})", "Give one for each")
        parts = {band: [p for p in shape if p.band == band] for band in dict.fromkeys(bands)}
        return [one for band, part in parts.items() for one in _listed(value[band], name, part)]
    return _listed(value, name, shape)


def _listed(value, name: str, shape: list[Place]) -> list:
    if not isinstance(value, list | tuple):
        return [value] * len(shape)
    if len(value) != len(shape) or any(place.number is None for place in shape):
        found = f"a list of {len(value)}, for {len(shape)} images that are "
        found += "a list" if shape[0].number is not None else "not a list"
        raise InputError(name, found, f"Give one {name} for all images, or one for each as `image` is given")
    return list(value)


def shaped(values: list, shape: list[Place]):
    """Values of the images in the shape that `image` had: the inverse of `spread`."""
    bands = list(dict.fromkeys(place.band for place in shape))
    if bands != [None]:
        pairs = list(zip(values, shape, strict=True))
        some = {
            band: [(value, place.number) for value, place in pairs if place.band == band] for band in bands
        }
        return {b: shaped([v for v, _ in one], [Place(None, n) for _, n in one]) for b, one in some.items()}
    return values[0] if shape[0].number is None else values
