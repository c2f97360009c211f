"""A Slurm of one node with two CPUs in a folder of its own: munged, slurmctld and slurmd of this machine, on free ports."""
import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue", "scancel")


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin" + os.pathsep + "/sbin")


def why_not():
    """Why there can be no cluster here; empty: there can."""
    missing = [program for program in PROGRAMS if not find(program)]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge"
    if os.getuid() != 0:
        return "slurmd runs jobs as root only"
    return ""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def end_with_parent():
    """No daemon outlives a test that is killed: prctl(PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.daemons = []
        try:
            self.set_up(folder)
        except BaseException:
            self.close()
            raise

    def set_up(self, folder):
        self.environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf")}
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        for name in ("state", "spool"):
            (folder / name).mkdir()
        user, host = pwd.getpwuid(os.getuid()).pw_name, socket.gethostname().split(".")[0]
        control, node = free_ports(2)
        socket_path = folder / "munge.socket"
        # A job that is queued again waits for as long as credentials live.
        (folder / "slurm.conf").write_text(f"""
ClusterName=air
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={control}
SlurmdPort={node}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={socket_path},cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
ReturnToService=2
JobRequeue=1
KillWait=5
BatchStartTimeout=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=2,sched_min_interval=200000,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM_", "SBATCH_", "AIR_"))}
        self.environment["SLURM_CONF"] = str(folder / "slurm.conf")
        # As root munged wants folders that are root's alone, and a test's temporary folder is not.
        self.start("munged", "--foreground", "--force", f"--socket={socket_path}", f"--key-file={folder}/munge.key", f"--pid-file={folder}/munged.pid",
                   f"--seed-file={folder}/munged.seed", f"--log-file={folder}/munged.log")
        self.wait_for("munged", socket_path.exists)
        self.start("slurmctld", "-D", "-i")
        self.start_node()
        self.wait_for("the node", lambda: "idle" in self.run("sinfo", "-h", "-o", "%T", check=False))

    def start(self, program, *arguments):
        daemon = subprocess.Popen([find(program), *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                                  stdout=(self.folder / f"{program}.out").open("ab"), stderr=subprocess.STDOUT, start_new_session=True,
                                  preexec_fn=end_with_parent)
        self.daemons.append(daemon)
        return daemon

    def start_node(self, *how):
        self.node = self.start("slurmd", "-D", "-N", socket.gethostname().split(".")[0], *how)

    def run(self, *command, check=True, **environment):
        result = subprocess.run([str(part) for part in command], env=self.environment | environment, capture_output=True, text=True, timeout=60)
        assert not check or result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def wait_for(self, what, is_there, seconds=60):
        deadline = time.monotonic() + seconds
        while not is_there():
            if time.monotonic() > deadline:
                logs = [f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in sorted(self.folder.glob("*.log")) + sorted(self.folder.glob("*.out"))]
                raise AssertionError(f"no {what} after {seconds} s\n" + self.run("squeue", check=False) + "\n".join(logs))
            time.sleep(0.1)

    def wait_for_jobs(self, seconds=400):
        """Until no job is queued or runs."""
        self.wait_for("end of the jobs", lambda: not self.run("squeue", "-h").strip(), seconds)

    def close(self):
        self.run("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name, check=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
