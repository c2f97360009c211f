"""Errors of air as exceptions, one class for each exit code that a caller can act on."""


class AirError(RuntimeError):
    """air ended with an error. Itself only for what no subclass says: a fault of air (1), an
    interruption that did not come from Python (130), a kill (negative: the signal).

    message: what `air: error:` says.   hint: what its `hint:` line says, or "".
    exit_code: as of the program (docs/data-format.md).
    """

    def __init__(self, message, hint="", exit_code=1):
        super().__init__(message, hint, exit_code)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code

    def __str__(self):
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UsageError(AirError):
    """Flags and arguments (exit code 2)."""


class InputError(AirError):
    """Records and other input data (exit code 3)."""


class ModelError(AirError):
    """A model folder or a heads file (exit code 4)."""


class ResourceError(AirError):
    """Memory, disk, device, or a library that is missing (exit code 5)."""


EXIT_INPUT, EXIT_RESOURCE = 3, 5
_BY_EXIT_CODE = {2: UsageError, EXIT_INPUT: InputError, 4: ModelError, EXIT_RESOURCE: ResourceError}


def make_error(exit_code, message, hint=""):
    """The exception of this exit code."""
    return _BY_EXIT_CODE.get(exit_code, AirError)(message, hint, exit_code)
