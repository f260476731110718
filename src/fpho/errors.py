"""What a user can mend, and trouble of the machine: messages, not tracebacks."""


class InputError(Exception):
    """Bad input: names the file, what was found there, and the cure.

    The command line prints the message alone, without a traceback, and exits 2.
    """

    def __init__(self, where, found: str, cure: str):
        self.where, self.found, self.cure = str(where), found, cure
        super().__init__(f"{where}: {found}. {cure}")

    def __reduce__(self):
        """Pickled with all its parts, so that it comes back from worker processes."""
        return type(self), (self.where, self.found, self.cure)


class DamagedError(InputError):
    """A file of the run that is not what was written."""

    def __init__(self, path, found="its content does not fit its checksum", cure="", more: str = ""):
        again = f"Delete it, and run the same command again: what is missing is made again{more}"
        text = str(found)
        super().__init__(path, text if text.startswith("damaged") else f"damaged: {text}", cure or again)


class MachineError(InputError):
    """Trouble of the machine, not of the data: memory, a full disk, a process that was killed."""


UNREADABLE = (OSError, KeyError, ValueError, RuntimeError, TypeError)  # what h5py raises of damaged files
