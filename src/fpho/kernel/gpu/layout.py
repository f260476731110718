"""Where everything stands in the memory of the device: rows of one table, one row for a proposal.

The kernels know two memories, each seen as flat arrays of several types (`PatchMemory`,
`LaunchMemory`). Patches stay in the first; the second holds, for one set of launches, in this order:

    table       n, first thread blocks of each proposal in each stage (STAGES, n + 1), rows `Job` (n, FIELDS)
    parameters  `SourceArrays` of all proposals, field by field       } sent for each evaluation
    results     `out` of all proposals                                } read for each evaluation
    work        everything else, not seen by the host

Proposals of patches of any shapes share these launches: a thread block finds its proposal in the table, and
the proposal's row says where its arrays begin (in elements of the array's type) and how long they are.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

LINE = 128  # bytes; arrays begin at whole lines
ROWS = 10  # values of a Gaussian in the pixel loop, see `device`
THREADS = 256  # of a block
STAGES = ("set_up", "evaluate", "finish")  # kernels whose blocks belong to proposals by the table
SUMS = 6  # of a Gaussian over a group of tiles
DERIVATIVES = 8  # of a source


class PatchMemory(NamedTuple):
    """Memory of the patches, in its types."""

    f4: np.ndarray
    i4: np.ndarray
    f8: np.ndarray


class LaunchMemory(NamedTuple):
    """Memory of one set of launches, in its types."""

    f4: np.ndarray
    i4: np.ndarray
    f8: np.ndarray
    i8: np.ndarray


class Job(NamedTuple):
    """A row of the table: lengths, places in the memory of patches, places in that of the launches."""

    n_exposures: int  # E
    n_sources: int  # S
    width: int  # W = B + 7
    n_profile: int  # K
    n_psf: int  # J
    size: int  # G: places for Gaussians in an exposure, S J K and at least 1
    n_groups: int  # N: groups of tiles
    data: int  # f4 (T, 64), nJy; tiles in groups
    weight: int  # f4 (T, 64), nJy^-2
    tile_x: int  # i4 (T,)
    tile_y: int  # i4 (T,)
    group: int  # i4 (N, 3): exposure, first tile, tiles
    group_start: int  # i4 (E + 1,): first group of each exposure
    band: int  # i4 (E,)
    psf_index: int  # i4 (E, S)
    psf_count: int  # i4 (PSFs,)
    position: int  # f8 (E, S, 2)
    scale: int  # f8 (E, S, 2, 2)
    gain: int  # f8 (E, S)
    psf: int  # f8 (PSFs, J, 6)
    count: int  # i8 (S,): components of each profile
    sources: int  # f8 (S, W)
    profile: int  # f8 (S, K, 6)
    background: int  # f8 (E,), nJy
    out: int  # f8 (S W + 2 E,): gradient (S, W), chi2 (E,), background gradient (E,)
    totals: int  # f8 (N, 2): chi2 and sum of weighted residuals of each group
    parts: int  # f8 (E, S + 1, 8): derivatives of each source in each exposure; last chi2, residuals
    gauss: int  # f4 (E, ROWS, G)
    sums: int  # f4 (N, 6, G): of the Gaussians in the list of a group, in its order
    image: int  # f4: model (T, 64), or derivative images
    listed: int  # i4 (N, G): Gaussians that reach a group
    slot: int  # i4 (N, G): 1 + place of a Gaussian in the list of a group; 0 where it does not reach it


FIELDS = len(Job._fields)
LENGTHS = Job._fields[:7]
IN_PATCHES = Job._fields[7:20]
PARAMETERS = Job._fields[20:24]
IN_WORK = {name: "f8" for name in Job._fields[20:27]} | {"gauss": "f4", "sums": "f4", "image": "f4"}
IN_WORK |= {"count": "i8", "listed": "i4", "slot": "i4"}

# What is in use beside the parameters.
EVALUATE = ("out", "totals", "parts", "gauss", "sums", "listed", "slot")
DRAW = ("gauss", "image", "listed", "slot")
FISHER = ("gauss", "image")


class Proposals(NamedTuple):
    """Proposals of one patch, with profiles of `n_profile` places each."""

    shape: tuple  # lengths E, S, J, N of the patch
    places: tuple  # of the patch's arrays, IN_PATCHES
    n_jobs: int
    width: int
    n_profile: int

    def lengths(self) -> tuple:
        """LENGTHS of `Job`."""
        n_exposures, n_sources, n_psf, n_groups = self.shape
        size = max(1, n_sources * n_psf * self.n_profile)
        return n_exposures, n_sources, self.width, self.n_profile, n_psf, size, n_groups


def elements(e, s, w, k, j, g, n) -> dict:
    """Elements of a proposal's arrays in the memory of launches, `image` apart."""
    return {
        "count": s, "sources": s * w, "profile": s * k * 6, "background": e, "out": s * w + 2 * e,
        "totals": 2 * n, "parts": DERIVATIVES * e * (s + 1), "gauss": e * ROWS * g, "sums": SUMS * n * g,
        "listed": n * g, "slot": n * g,
    }  # fmt: skip


def bytes_each(run: Proposals) -> int:
    """Bytes that one evaluated proposal of a run takes, its rows of the table included."""
    found = elements(*run.lengths())
    arrays = sum(found[name] * np.dtype(IN_WORK[name]).itemsize + LINE for name in (*PARAMETERS, *EVALUATE))
    return arrays + 8 * (FIELDS + len(STAGES))


def blocks_of(e, s, w, k, j, g, n) -> dict:
    """Thread blocks of a proposal in each stage: THREADS Gaussians; a group; a source in an exposure."""
    return {"set_up": -(-e * g // THREADS), "evaluate": n, "finish": e * (s + 1)}


@dataclass(frozen=True)
class MemoryLayout:
    """The table of one set of launches, and what the host needs to know of it. Places are in bytes."""

    table: np.ndarray  # (words,) int64
    blocks: dict  # of all proposals in each stage
    places: dict  # first byte of the arrays of all proposals, by name
    lengths: dict  # elements of those, by name
    size: int  # bytes in all

    @property
    def n_jobs(self) -> int:
        """Proposals in the table."""
        return int(self.table[0])

    @property
    def parameters(self) -> tuple:
        """First and last byte of the parameters."""
        return self.places["count"], self.places["out"]


def whole_lines(n) -> int:
    """Bytes, rounded up."""
    return -(-int(n) // LINE) * LINE


def lay_out(runs, used=EVALUATE, image: int = 0) -> MemoryLayout:
    """The table for some runs; `image`: elements of that array."""
    repeats = [run.n_jobs for run in runs]
    n = sum(repeats)
    lengths = np.repeat(np.array([run.lengths() for run in runs], np.int64), repeats, axis=0)
    in_patches = np.repeat(np.array([run.places for run in runs], np.int64), repeats, axis=0)
    sizes = elements(*lengths.T) | {"image": np.full(n, image, np.int64)}
    starts = np.zeros((len(STAGES), n + 1), np.int64)
    for row, stage in zip(starts, STAGES, strict=True):
        row[1:] = np.cumsum(blocks_of(*lengths.T)[stage])
    columns, first, totals, end = {}, {}, {}, whole_lines(8 * (1 + starts.size + n * FIELDS))
    for name, kind in IN_WORK.items():
        columns[name], first[name], totals[name], end = _array(name, kind, sizes[name], used, end)
    rows = np.column_stack([lengths, in_patches, *(columns[name] for name in Job._fields[20:])])
    table = np.concatenate([[n], starts.ravel(), rows.ravel()])
    blocks = dict(zip(STAGES, starts[:, -1].tolist(), strict=True))
    return MemoryLayout(table, blocks, first, totals, end)


def _array(name, kind, each, used, first) -> tuple:
    """Places (n,) of an array of each proposal from byte `first` on; `first`; elements in all; the next byte.

    What the host does not see begins at whole lines for each proposal.
    """
    itemsize = np.dtype(kind).itemsize
    if name not in (*PARAMETERS, *used):
        each = np.zeros_like(each)
    elif name not in (*PARAMETERS, "out"):
        line = LINE // itemsize
        each = -(-each // line) * line
    ends = np.cumsum(each)
    total = int(ends[-1])
    return first // itemsize + ends - each, first, total, whole_lines(first + total * itemsize)
