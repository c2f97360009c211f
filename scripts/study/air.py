"""Runs `air`: every choice and every score of the study is the tool's own."""
import subprocess

from air_cli import air_binary, clean_environment

from . import StudyError


def run_air(*arguments):
    """Stdout of `air ARGUMENTS`, as text. @throws StudyError with air's own message."""
    command = [air_binary(), *map(str, arguments)]
    try:
        result = subprocess.run(command, capture_output=True, env=clean_environment(), check=False)
    except OSError as error:
        raise StudyError(f"{command[0]}: {error.strerror}; AIR_BINARY names another") from error
    if result.returncode != 0:
        raise StudyError(f"air {' '.join(command[1:])}\n{result.stderr.decode(errors='replace')}")
    return result.stdout.decode()
