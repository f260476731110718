"""Text that users give: files in any encoding, and environment variables in paths."""

import codecs
import os
import re
import warnings
from pathlib import Path

from .errors import InputError

MARKS = (  # byte order marks, the longer ones first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


def read_text(path) -> str:
    """Text of a file with plain line ends: UTF-8, or by a byte order mark UTF-16 and UTF-32.

    Raises
    ------
    InputError
        If the file cannot be read, or is in none of these.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", "Mend its path or permissions") from None
    return decode(content, path)


def decode(content: bytes, where, legacy: bool = False) -> str:
    """Text of a file's content, as `read_text`.

    legacy : what is none of these is taken for Windows-1252 (as older spreadsheets write), and said
    """
    encoding = next((name for mark, name in MARKS if content.startswith(mark)), "utf-8")
    if encoding == "utf-8" and b"\0" in content:
        found = "not text in UTF-8 (it holds zero bytes)"
        raise InputError(where, found, "Give a text file; UTF-16 needs its byte order mark")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if not legacy or encoding != "utf-8":
            raise InputError(
                where, f"not text in {encoding.upper()} ({error.reason})", "Save it as UTF-8"
            ) from None
        warnings.warn(f"{where}: not in UTF-8, read as Windows-1252; save it in UTF-8", stacklevel=3)
        text = content.decode("cp1252", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def expand(text: str, where) -> str:
    """`text` with its environment variables, `$NAME` or `${NAME}`.

    Raises
    ------
    InputError
        If one of them is not set.
    """
    for name in VARIABLE.findall(text):
        if name not in os.environ:
            found = f"{text!r}: the environment variable {name} is not set"
            raise InputError(where, found, f"Set {name} (export {name}=...), or write the path out")
    return os.path.expandvars(text)
