"""The command line: `para experiment | record | tracks | train | evaluate | report | dataset | resample | doctor`."""

from __future__ import annotations

import io
import logging
import os
import re
import select
import sys
from contextlib import redirect_stderr
from difflib import SequenceMatcher
from typing import Any

import tyro

from para.commands import Dataset, Doctor, Evaluate, Experiment, Record, Report, Resample, Tracks, Train
from para.files import DISK_FULL
from para.processes import WorkerDied
from para.registry import did_you_mean

SPELT_ALIKE = 0.6
"""Of two names, at least: difflib's measure, and its threshold."""

COMMANDS = {
    "experiment": Experiment,
    "record": Record,
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "dataset": Dataset,
    "resample": Resample,
    "tracks": Tracks,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 2 what was asked cannot be done, 1 anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("para").setLevel(logging.DEBUG if debug else logging.INFO)
    try:
        parse(arguments).run()
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except WorkerDied as error:
        if debug:
            raise
        print(f"para: {error}", file=sys.stderr)
        sys.exit(1)
    except (ValueError, FileNotFoundError, ImportError, OSError, KeyError) as error:
        if isinstance(error, BrokenPipeError) and nobody_reads():
            sys.exit(1)
        if debug:
            raise
        print(f"para: {explain(error)}", file=sys.stderr)
        sys.exit(2)


def nobody_reads() -> bool:
    """Whether what is printed goes nowhere any more, as after `| head`; then nothing more is tried to be printed."""
    stdout = select.poll()
    stdout.register(sys.stdout, 0)
    if not any(event & (select.POLLERR | select.POLLHUP) for _, event in stdout.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def parse(arguments: list[str]) -> Any:
    """The command with its options. Prints one line and exits with code 2 for arguments that mean nothing."""
    if arguments and not arguments[0].startswith("-") and arguments[0] not in COMMANDS:
        print(f"para: no command '{arguments[0]}'{did_you_mean(arguments[0], COMMANDS)}", file=sys.stderr)
        sys.exit(2)
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                COMMANDS, prog="para", args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,),
                description="PARA: pixel-aligned robot actions. Add --debug to any command for tracebacks.",
            )  # fmt: skip
    except SystemExit as stop:
        if stop.code:
            command = f"para {arguments[0]}" if arguments and arguments[0] in COMMANDS else "para"
            print(f"para: {one_line(said.getvalue())} (`{command} --help` says more)", file=sys.stderr)
        raise


def one_line(message: str) -> str:
    """What tyro says in a box about arguments that it cannot read, in one line, with what may have been meant."""
    message = without_box(message)
    sections = [" ".join(part.split()) for part in re.split(r"\n *-{10,} *\n", message)]
    body = sections[1] if len(sections) > 1 else sections[0]
    misplaced = re.match(r"Unrecognized or misplaced options: (--\w[\w.-]*) \(applied to ([^)]*)\)", body)
    if misplaced is not None and (place := place_of(misplaced[1], misplaced[2].split(), message)):
        return f"option '{misplaced[1]}' belongs {place}"
    unknown = re.match(r"Unrecognized (?:or misplaced )?options: ([^,\s]+)", body)
    if unknown is None:
        return re.sub(r"^Error parsing (__tyro[\w.-]*|[A-Z]\w*): ", "", body).rstrip(" .")
    name = unknown[1]
    available = re.search(r"Available subcommands: (.*)", " ".join(sections))
    if not name.startswith("-") and available is not None:
        return f"no '{name}'{did_you_mean(name, re.split(', *', available[1].split(' For full')[0]))}"
    offered = re.findall(r"^\W*(--\w[\w.-]*)", message.partition("Perhaps you meant:")[2], re.MULTILINE)
    # the first one offered may only have the name somewhere within, as --backbone-lr-scale has --scal
    meant = max(offered, key=lambda option: SequenceMatcher(None, name, option).ratio(), default="")
    meant = meant if is_near(name, meant) else ""
    if meant == name and misplaced is not None:
        return f"'{misplaced[2].split()[-1]}' has no option '{name}'"
    return f"no option '{name}'" + (f"; did you mean '{meant}'?" if meant else "")


def is_near(name: str, option: str) -> bool:
    """Whether an option may have been meant: it is spelt alike, begins so, or has all the words of the name."""
    alike = SequenceMatcher(None, name, option).ratio() >= SPELT_ALIKE
    words, of_option = (set(re.split(r"[-._]+", text.strip("-"))) for text in (name, option))
    return alike or option.startswith(name) or words <= of_option


def place_of(name: str, given_to: list[str], message: str) -> str:
    """Where on the command line an option stands that was given to another part of it; empty where tyro names none.

    Args:
        name: of the option.
        given_to: the words of the command and its parts before it.
        message: with tyro's suggestions, each followed by the parts that have it.
    """
    homes, offered = [], ""
    for line in message.partition("Perhaps you meant:")[2].splitlines():
        if option := re.match(r"\W*(--\w[\w.-]*)", line):
            offered = option[1]
        elif offered == name and (home := re.match(r"\W*in (para .*) --help", line)):
            homes.append(home[1].split())
    if any(given_to[: len(home)] == home for home in homes):
        before = next(given_to[len(home)] for home in homes if given_to[: len(home)] == home)
        return f"before '{before}'"
    below = dict.fromkeys(home[-1] for home in homes if home[: len(given_to)] == given_to)
    return f"after {' or '.join(repr(word) for word in below)}" if below else ""


def without_box(message: str) -> str:
    """The message as tyro draws it where the terminal knows no more than ASCII: a title and rules of hyphens."""
    titled = re.sub(r"^╭─ (.*?) ─+╮", r" \1\n ----------", message, flags=re.MULTILINE)
    return re.sub("[│╰╯]", " ", titled).replace("─", "-")


def explain(error: Exception) -> str:
    """An error in one line; what to do is in it already, but for errors of the system."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno in DISK_FULL and "disk is full" not in text:
        return f"the disk is full ({text}); what was finished is kept: free some space and run the same command again"
    return text.removeprefix(f"[Errno {getattr(error, 'errno', None)}] ")


if __name__ == "__main__":
    main()
