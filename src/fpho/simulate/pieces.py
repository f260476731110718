"""FITS tables written piece by piece: a survey's need not fit into memory."""

import io

from ..files import atomic

BLOCK = 2880  # bytes; a FITS file is made of these


def write_in_pieces(path, pieces, count: int, more=None) -> None:
    """A FITS table whose rows come in pieces, as `table_to_hdu` would write all of them.

    Parameters
    ----------
    pieces : astropy tables of the same columns, of which at least one, also if there is no row
    count : of all rows. more : table of a second extension
    """
    from astropy.io import fits

    with atomic(path, seal=True) as temporary:
        with open(temporary, "wb") as stream:
            stream.write(_bytes([]))
            written = 0
            for number, piece in enumerate(pieces):
                hdu = fits.table_to_hdu(piece)
                if number == 0:
                    stream.write(_header(hdu, count))
                stream.write(_rows(hdu))
                written += len(piece)
            if written != count:
                raise ValueError(f"{written} rows came, {count} were said to")
            stream.write(bytes(-stream.tell() % BLOCK))
            if more is not None:
                stream.write(_bytes([fits.table_to_hdu(more)])[len(_bytes([])) :])


def _header(hdu, count: int) -> bytes:
    header = hdu.header.copy()
    header["NAXIS2"] = count
    return header.tostring().encode("ascii")


def _rows(hdu) -> bytes:
    """Without the header before and the padding after them."""
    size = hdu.header["NAXIS1"] * hdu.header["NAXIS2"]
    whole = _bytes([hdu])
    start = len(whole) - size - (-size % BLOCK)
    return whole[start : start + size]


def _bytes(hdus) -> bytes:
    from astropy.io import fits

    stream = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(stream)
    return stream.getvalue()
