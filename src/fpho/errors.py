"""The one exception for what a user can mend."""


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
