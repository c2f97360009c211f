"""What starts and what is loaded: `air` itself links no libtorch, and becomes air-torch where it is needed."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from air_runner import air_binary, clean_environment, fail, records, run, succeed, write_records

RESOURCE = 5
AIR = Path(air_binary())
TORCH_PROGRAM = AIR.parent / "air-torch"
# Without libtorch some twenty; libtorch alone brings four and takes longer than all the rest.
MOST_OBJECTS = 24


@pytest.fixture
def scored(tmp_path):
    losses = {"base_nll": 1.0, "ref_nll": 1.5, "entropy": 0.5}
    air = {"schema": "air.score/1", "rank": 1, "line": 1, "influence": 0.5, "divergence": 0.5, **losses, "num_tokens": 3, "num_prompt_tokens": 3,
           "num_steps": 1, "steps": [{"begin": 0, "end": 3, "num_tokens": 3, **losses, "influence": 0.5, "weight": 1}]}
    return write_records(tmp_path / "scored.jsonl", [{"id": "a", "prompt": "p", "response": "abc", "air": air}])


@pytest.fixture
def copied(tmp_path):
    """A copy of the two programs as `cmake --install` lays them out; returns the path of air."""
    def copy(with_torch_program=True):
        programs = [(AIR, "bin")] + ([(TORCH_PROGRAM, "libexec")] if with_torch_program else [])
        for program, folder in programs:
            (tmp_path / folder).mkdir()
            shutil.copy(program, tmp_path / folder)
        return tmp_path / "bin" / "air"
    return copy


def started(folder, *arguments):
    """The objects that the processes of a run initialise, in order: names of libraries, and of the programs."""
    environment = clean_environment(LD_DEBUG="files", LD_DEBUG_OUTPUT=folder / "loader")
    result = subprocess.run([AIR, *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL, capture_output=True)
    assert result.returncode == 0, result.stderr.decode()
    text = "".join(path.read_text() for path in sorted(folder.glob("loader.*")))
    return [Path(name).name for name in re.findall(r"(?:calling init|initialize program): (\S+)", text)]


@pytest.mark.parametrize("verb", ["--help", "select", "show", "report"])
def test_what_runs_no_model_loads_no_libtorch(verb, scored, tmp_path):
    arguments = {"--help": ["--help"], "report": ["report", scored, "-o", tmp_path / "r.html"],
                 "select": ["select", scored, "--top-k", 1], "show": ["show", scored]}[verb]
    objects = started(tmp_path, *arguments)
    assert objects.count("air") == 1, objects  # the name that it was started under
    assert not [name for name in objects if re.match(r"libtorch|libc10|libgomp", name)], objects
    assert len(objects) <= MOST_OBJECTS, objects


@pytest.mark.parametrize("arguments", [["--version"], ["score", "--help"], ["help", "inspect"], ["--generate", "man"]])
def test_libtorch_is_loaded_once(arguments, tmp_path):
    objects = started(tmp_path, *arguments)
    assert objects.count("libtorch_cpu.so") == 1 and objects.count("air") == 2, objects


def test_both_programs_list_the_same_verbs():
    """One list of verbs: what air knows of a verb that it does not have is what that verb says of itself."""
    of_torch = subprocess.run([TORCH_PROGRAM, "--help"], capture_output=True, check=True, env=clean_environment()).stdout
    assert succeed("--help") == of_torch and b"find-heads" in of_torch


@pytest.mark.parametrize("arguments", [["score", "--bogus"], ["score", "-h"], ["help", "score"], ["scor"], ["score", "--modle", "x"],
                                       ["-v"], ["--version", "--bogus"], ["inspect"], ["find-heads", "--", "x"], ["--help", "score"], []])
def test_a_command_line_means_the_same_to_both(arguments):
    """Exit code and words do not depend on which of the two programs reads it."""
    direct = subprocess.run([TORCH_PROGRAM, *arguments], capture_output=True, env=clean_environment())
    result = run(*arguments)
    assert (result.returncode, result.stdout, result.stderr) == (direct.returncode, direct.stdout, direct.stderr)


def test_a_config_file_of_all_verbs_serves_those_of_air(scored, tmp_path):
    """Keys that are another verb's flags are passed over, and no others."""
    config = tmp_path / "air.toml"
    config.write_text('model = "none"\nmax-length = 7\ntop-k = 1\n')
    assert len(records(succeed("select", scored, "--config", config))) == 1
    assert len(records(succeed("select", scored, env={"AIR_CONFIG": str(config)}))) == 1
    config.write_text("no-such-flag = 1\n")
    assert "unknown key" in fail(2, "select", scored, "--config", config)


def test_the_process_is_called_air(model, tmp_path):
    """To ps and pgrep, and by the name that it was started under."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    process = subprocess.Popen([AIR, "inspect", "--model", model, pipe], stdout=subprocess.PIPE, env=clean_environment())
    with open(pipe, "w") as write_end:  # opened by both: it has started
        status = Path(f"/proc/{process.pid}")
        assert (status / "comm").read_text() == "air\n"
        assert (status / "cmdline").read_bytes().split(b"\0")[:2] == [os.fsencode(AIR), b"inspect"]
        assert (status / "exe").resolve().name == "air-torch"
        write_end.write('{"prompt": "a", "response": "b"}\n')
    assert len(records(process.communicate(timeout=60)[0])) == 1


def test_it_is_found_as_installed_and_through_a_link(copied, tmp_path):
    air = copied()
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "air"
    link.symlink_to(air)
    for program in (air, link):
        assert subprocess.run([program, "--version"], capture_output=True, env=clean_environment()).stdout == succeed("--version")


def test_without_the_torch_program_the_error_names_it(copied, scored):
    air = copied(with_torch_program=False)
    result = subprocess.run([air, "score", "--model", "x"], capture_output=True, env=clean_environment())
    assert result.returncode == RESOURCE
    assert result.stderr.decode().startswith(f"air: error: {air.parent}/air-torch: there is no such program, and this verb needs it\nhint: ")
    assert subprocess.run([air, "select", scored, "--top-k", "1"], capture_output=True, env=clean_environment()).returncode == 0


def test_without_libtorch_the_error_names_it(copied):
    air = copied()
    program = air.parent.parent / "libexec" / "air-torch"
    section = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    folders = re.search(r"\(RUNPATH\).*\[([^\]:]+)", section)[1].encode()
    program.write_bytes(program.read_bytes().replace(folders, b"/" + b"x" * (len(folders) - 1)))
    environment = clean_environment()
    environment.pop("LD_LIBRARY_PATH", None)
    result = subprocess.run([air, "inspect", "--model", "x"], capture_output=True, env=environment)
    message = result.stderr.decode()
    assert result.returncode == RESOURCE, message
    assert message.startswith("air: error: libtorch_cpu.so") and "not found" in message and "pip install" in message
    # It is told, as the hint says.
    environment["LD_LIBRARY_PATH"] = folders.decode()
    assert subprocess.run([air, "--version"], capture_output=True, env=environment).returncode == 0


def test_a_damaged_program_is_an_error(copied):
    air = copied()
    (air.parent.parent / "libexec" / "air-torch").write_bytes(b"\x7fELF and no more")
    result = subprocess.run([air, "--version"], capture_output=True, env=clean_environment())
    assert result.returncode == RESOURCE and b"can't be started" in result.stderr


def test_settings_of_the_user_stay(model):
    """air makes settings before libtorch is loaded, but none that the user has made."""
    def environment_of(**variables):
        process = subprocess.Popen([AIR, "inspect", "--model", model, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env=clean_environment(**variables))
        process.stdin.write(b'{"prompt": "a", "response": "b"}\n' * 2)
        process.stdin.flush()
        while "air-torch" not in os.readlink(f"/proc/{process.pid}/exe"):
            assert process.poll() is None
        found = Path(f"/proc/{process.pid}/environ").read_bytes().decode().split("\0")
        process.communicate(timeout=60)
        return dict(variable.split("=", 1) for variable in found if "=" in variable)
    assert "OMP_WAIT_POLICY" in environment_of() and "LRU_CACHE_CAPACITY" in environment_of()
    own = environment_of(OMP_WAIT_POLICY="active", ONEDNN_PRIMITIVE_CACHE_CAPACITY="7")
    assert own["OMP_WAIT_POLICY"] == "active" and own["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
    assert "GOMP_SPINCOUNT" not in own
