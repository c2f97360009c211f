"""Runs the program: its messages as log records, its progress on stderr, its errors as exceptions."""
import codecs
import fcntl
import logging
import os
import re
import signal
import subprocess
import sys
import termios
import tty

from . import NotReady, find_program
from .errors import EXIT_RESOURCE, make_error

LOGGER = logging.getLogger("air_select")
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING}
_MESSAGE = re.compile(r"air: (?P<device>\S+: )?(?P<level>debug|info|warning|error): (?P<text>.*)", re.DOTALL)
_WIPE = "\r\x1b[K"  # how a progress bar begins and ends
_BEGUN = re.compile(r"\A(a(i(r(:( .*)?)?)?)?)?\Z|(\r(\x1b\[?)?)?\Z", re.DOTALL)  # what may become a message or a wipe
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")

# The program has a session of its own: Ctrl-C reaches it through us alone, and once. So that it does
# not outlive a notebook's kernel that is killed, and hold the GPU, it first asks to be ended with the
# thread that waits for it (1 is prctl's PR_SET_PDEATHSIG). A process of its own asks, not a
# preexec_fn: that would run between fork and exec, where a program with threads may do nothing.
_LAUNCHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


def run(arguments, stdin=None, stdout=None):
    """Runs `air ARGUMENTS` to its end.

    stdin, stdout: files of the operating system; None: those of this process.
    Raises AirError with the program's own words; KeyboardInterrupt when it has been passed on and
    the program has ended.
    """
    program, environment = _program()
    if not os.access(program, os.X_OK):
        raise make_error(EXIT_RESOURCE, f"{program}: there is no such program", "AIR_BINARY names the program to run")
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid())]
    terminal = _terminal()
    read_end, write_end = os.pipe() if terminal is None else os.openpty()
    messages = Messages()
    with open(read_end, "rb", buffering=0) as source:
        try:
            if terminal is not None:
                _make_like(write_end, terminal)
            process = subprocess.Popen([*launcher, program, *arguments], stdin=stdin, stdout=stdout, stderr=write_end,
                                       env=environment, start_new_session=True)
        finally:
            os.close(write_end)
        interrupt = _follow(process, source, messages)
    messages.finish()
    if interrupt is not None:
        if messages.hint:
            LOGGER.warning("%s: %s", messages.error, messages.hint)
        raise interrupt
    code = process.returncode
    if code != 0:
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        raise make_error(code, messages.error or f"air {how}", messages.hint)


def _program():
    """The program and its environment: without AIR_BINARY, which is ours, and without the Slurm array
    job that Python runs in, of which a function's result must not become a share by itself."""
    environment = {name: value for name, value in os.environ.items() if name != "AIR_BINARY" and not name.startswith("SLURM_ARRAY_")}
    if program := os.environ.get("AIR_BINARY"):
        return program, environment
    try:
        program, variables = find_program()
    except NotReady as error:
        raise make_error(EXIT_RESOURCE, str(error), error.hint) from None
    return program, {**environment, **variables}


def _terminal():
    """The descriptor of stderr where that is a terminal, else None: a notebook's is not one."""
    try:
        number = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return number if os.isatty(number) else None


def _make_like(pseudo, terminal):
    """Gives a pseudo-terminal the terminal's size, and no translation of line ends."""
    tty.setraw(pseudo)
    fcntl.ioctl(pseudo, termios.TIOCSWINSZ, fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(8)))


def _follow(process, source, messages):
    """Reads messages until the process has ended. Passes Ctrl-C on, each time; returns the last KeyboardInterrupt, or None."""
    interrupt = None
    while True:
        try:
            while chunk := _read(source):
                messages.add(chunk)
            process.wait()
            return interrupt
        except KeyboardInterrupt as error:
            interrupt = error
            process.send_signal(signal.SIGINT)
        except BaseException:  # of a log handler, or of a stderr that refuses
            process.terminate()
            process.wait()
            raise


def _read(source):
    try:
        return source.read(65536)
    except OSError:  # EIO: nobody holds the pseudo-terminal's other end any more
        return b""


class Messages:
    """What the program writes to stderr: messages are logged, the error is kept, all else is shown."""

    def __init__(self):
        self.error = self.hint = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""  # of a line that has not ended
        self._continues = None  # what the next line adds to, unless it begins a message: "error", "hint"

    def add(self, chunk):
        *lines, self._pending = (self._pending + self._decoder.decode(chunk)).split("\n")
        for line in lines:
            self._add_line(line)
        rest = self._show_bar(self._pending)
        begun = _BEGUN.search(rest)[0] if self._continues is None else rest
        self._show(rest[:len(rest) - len(begun)])
        self._pending = begun

    def finish(self):
        if self._pending:
            self._add_line(self._pending)
        self._pending = ""

    def _show_bar(self, text):
        """Shows what draws and wipes a progress bar. Returns what comes after it."""
        bar, wipe, rest = text.rpartition(_WIPE)
        if wipe:
            self._show(bar + wipe)
        return rest

    def _add_line(self, line):
        line = self._show_bar(line)
        plain = _ESCAPES.sub("", line)
        if found := _MESSAGE.fullmatch(plain):
            text = (found["device"] or "") + found["text"]
            self._continues = "error" if found["level"] == "error" else None
            if self._continues:
                self.error, self.hint = text, ""
            else:
                LOGGER.log(_LEVELS[found["level"]], "%s", text)
        elif self._continues == "error" and plain.startswith("hint: "):
            self.hint, self._continues = plain[len("hint: "):], "hint"
        elif self._continues is not None:
            setattr(self, self._continues, f"{getattr(self, self._continues)}\n{plain}")
        else:
            self._show(line + "\n")

    @staticmethod
    def _show(text):
        if text and sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()
