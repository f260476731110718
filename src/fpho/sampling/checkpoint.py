"""States of chains as files that hold data alone: JSON and arrays, behind a checksum.

A pickle would execute what somebody else put into a shared folder. Kinds of objects other than numbers, text,
arrays and their collections are few, and named in KINDS.
"""

import hashlib
import io
import json
import logging
import zipfile
from pathlib import Path

import numpy as np

from ..files import atomic

log = logging.getLogger("fpho")
KINDS = ("QuadPotentialFullAdapt", "_WeightedCovariance")  # of littlemcmc, which takes a second to import
PLAIN = (bool, int, float, str, type(None))


def write(path, value) -> None:
    """Write a tree of plain values, arrays, collections and KINDS."""
    arrays: list[np.ndarray] = []
    tree = json.dumps(_packed(value, arrays))
    content = io.BytesIO()
    np.savez(content, tree=np.frombuffer(tree.encode(), "u1"), **{f"a{i}": a for i, a in enumerate(arrays)})
    payload = content.getvalue()
    with atomic(path) as temporary:
        temporary.write_bytes(_digest(payload) + payload)


def read(path):
    """What `write` wrote; None where there is no such file, or it is damaged (which is said)."""
    path = Path(path)
    if not path.is_file():
        return None
    content = path.read_bytes()
    digest, payload = content[:64], content[64:]
    try:
        if digest != _digest(payload):
            raise ValueError("its content does not fit its checksum")
        with np.load(io.BytesIO(payload), allow_pickle=False) as file:
            tree = json.loads(bytes(file["tree"]).decode())
            return _unpacked(tree, file)
    except (ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        log.warning("check-point %s is not used: %s", path, error)
        return None


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).hexdigest().encode()


def _kind(name: str) -> type:
    """One of KINDS."""
    if name not in KINDS:
        raise LookupError(f"it holds a {name}")
    from littlemcmc import quadpotential

    return getattr(quadpotential, name)


def _packed(value, arrays: list):
    if type(value) in PLAIN:
        return value
    if isinstance(value, np.generic):
        return {"number": value.item(), "dtype": value.dtype.str}
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {"array": f"a{len(arrays) - 1}"}
    if isinstance(value, list):
        return [_packed(item, arrays) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_packed(item, arrays) for item in value]}
    if isinstance(value, dict):
        return {"dict": {name: _packed(item, arrays) for name, item in value.items()}}
    name = type(value).__name__
    if name not in KINDS or _kind(name) is not type(value):
        raise TypeError(f"a check-point can't hold a {name}")
    return {"object": name, "fields": _packed(vars(value), arrays)}


def _unpacked(tree, arrays):
    if isinstance(tree, list):
        return [_unpacked(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        return arrays[tree["array"]]
    if "number" in tree:
        return np.dtype(tree["dtype"]).type(tree["number"])
    if "tuple" in tree:
        return tuple(_unpacked(item, arrays) for item in tree["tuple"])
    if "dict" in tree:
        return {name: _unpacked(item, arrays) for name, item in tree["dict"].items()}
    made = object.__new__(_kind(tree["object"]))
    vars(made).update(_unpacked(tree["fields"], arrays))
    return made
