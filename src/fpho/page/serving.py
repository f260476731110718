"""A page on the loopback address, for browsers that can't open the folder itself."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from ..errors import InputError


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        """Nothing: a page asks for hundreds of tiles."""


def server(folder, port: int = 0) -> ThreadingHTTPServer:
    """Serves a folder to programs on this machine alone; port 0 is any free one.

    Raises
    ------
    InputError
        If the port is taken.
    """
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(Path(folder))))
    except OSError as error:
        raise InputError(
            "--port", f"{port} can't be used ({error.strerror})", "Choose another, or 0"
        ) from None


def serve(folder, port: int = 0, said=print) -> None:
    """Serve a page until the program is interrupted; `said` is told its address."""
    with server(folder, port) as one:
        said(f"http://127.0.0.1:{one.server_address[1]}/  (Ctrl-C ends it)")
        try:
            one.serve_forever()
        except KeyboardInterrupt:
            return
