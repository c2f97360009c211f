"""The command line of the study."""
import argparse
import sys
from pathlib import Path

from . import StudyError, __doc__ as package_doc
from .config import read_config

sys.stdout.reconfigure(line_buffering=True)


def say(line):
    print(f"study: {line}", file=sys.stderr, flush=True)


def _run(config, arguments):
    from . import inputs, runs
    made = inputs.make_inputs(config, say)
    left = runs.run_all(config, made, say, arguments.limit)
    if left:
        say(f"{left} runs are left: the same command continues")
        return
    _table(config, arguments)


def _pilot(config, arguments):
    from . import inputs, plan, runs
    made = inputs.make_inputs(config.pilot(), say)
    left = runs.run_all(config.pilot(), made, say, arguments.limit)
    if left:
        say(f"{left} runs are left: the same command continues")
        return
    from .arms import chosen_arms
    print("\n".join(plan.power_lines(config, chosen_arms(config))))


def _prepare(config, arguments):
    from . import inputs, runs
    made = inputs.make_inputs(config, say)
    runs.prepare(config, made, say)
    runs.prepare(config.pilot(), made, say)


def _plan(config, arguments):
    from . import plan
    print("\n".join(plan.plan_lines(config)))


def _table(config, arguments):
    from . import files, table
    summary = table.summarize(config)
    text = "\n".join(table.table_lines(summary))
    files.write_json(config.work_folder / "summary.json", summary)
    files.write_whole(config.work_folder / "table.md", text)
    table.draw(summary, config.work_folder / "plot.png")
    print(text)
    say(f"summary.json, table.md and plot.png are in {config.work_folder}")


def _confounds(arguments):
    from . import confounds
    confounds.command(arguments.files, arguments.output)


def _planted(arguments):
    from . import planted
    planted.command(arguments)


COMMANDS = {
    "run": (_run, "make what is missing, train and measure every arm, write the table"),
    "plan": (_plan, "what run will do, how long it takes and what it can see"),
    "pilot": (_pilot, "random picks alone: the spread that the power follows from"),
    "prepare": (_prepare, "all that needs air: a machine without it can do the rest"),
    "table": (_table, "the table again, of the seeds that are finished"),
}


def parse():
    parser = argparse.ArgumentParser(prog="study", description=package_doc,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("config", type=Path, help="TOML; config.py lists the settings")
        command.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                             dest="settings", help="a setting in place of the file's")
        if name == "run":
            command.add_argument("--plan", action="store_true", help="as the command plan")
        if name in ("run", "pilot"):
            command.add_argument("--limit", type=int, help="at most so many runs now")
        command.add_argument("--device", choices=("cpu", "cuda"), help="as --set device=DEVICE")
    command = commands.add_parser("confounds", help="what scores are made of, how runs agree")
    command.add_argument("files", nargs="+", metavar="NAME=FILE",
                         help="scored files of the same traces; the first is compared with all")
    command.add_argument("-o", "--output", type=Path, help="JSON")
    command = commands.add_parser("planted", help="scores of traces made to need retrieval, or not")
    command.add_argument("--model", type=Path, required=True)
    command.add_argument("--heads", required=True, help="heads file or list, as air score takes it")
    command.add_argument("--text", choices=("facts", "words"), default="facts",
                         help="words: for the model of make_planted_model.py")
    command.add_argument("--traces", type=int, default=40, help="of each condition, half of them "
                         "needing retrieval")
    command.add_argument("--seed", type=int, default=0)
    command.add_argument("-o", "--output", type=Path, help="JSON")
    return parser.parse_args()


def main():
    arguments = parse()
    try:
        if arguments.command in COMMANDS:
            device = [f"device={arguments.device}"] if arguments.device else []
            config = read_config(arguments.config, arguments.settings + device)
            chosen = _plan if getattr(arguments, "plan", False) else COMMANDS[arguments.command][0]
            chosen(config, arguments)
        else:
            {"confounds": _confounds, "planted": _planted}[arguments.command](arguments)
    except StudyError as error:
        sys.exit(f"study: error: {error}")


if __name__ == "__main__":
    main()
