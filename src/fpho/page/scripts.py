"""Values as script files: a page opened from a disk may load scripts, but no other data.

Each file is one call `fpho.take(name, value)`. Columns of numbers are their little-endian bytes in base64.
"""

import base64
import json
from pathlib import Path

import numpy as np

TYPES = {
    "f4": "Float32Array",
    "f8": "Float64Array",
    "i4": "Int32Array",
    "u1": "Uint8Array",
    "u2": "Uint16Array",
}


def write_script(path, name: str, value) -> None:
    """One value, made of what JSON has and of arrays."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"fpho.take({text(name)},{text(value)});\n", encoding="utf-8")


def text(value) -> str:
    """As JSON that is also harmless in a page: no sign ends a script or opens an element."""
    plain = json.dumps(value, default=packed, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return plain.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def packed(array) -> dict[str, str]:
    """An array as the browser unpacks it: its type and its bytes."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{type(array)} can't be written to a page")
    kind = array.dtype.str[1:]
    data = np.ascontiguousarray(array, dtype=f"<{kind}").tobytes()
    return {"type": TYPES[kind], "bytes": base64.b64encode(data).decode()}
