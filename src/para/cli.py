"""The command line: `para experiment | record | train | evaluate | report | dataset | doctor`."""

from __future__ import annotations

import logging
import sys

import tyro

from para.commands import Dataset, Doctor, Evaluate, Experiment, Record, Report, Train

COMMANDS = {
    "experiment": Experiment,
    "record": Record,
    "train": Train,
    "evaluate": Evaluate,
    "report": Report,
    "dataset": Dataset,
    "doctor": Doctor,
}


def main(arguments: list[str] | None = None) -> None:
    """Entry point. Exit codes: 0 done, 2 what was asked cannot be done, 1 anything else."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("para").setLevel(logging.DEBUG if debug else logging.INFO)
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS, prog="para", args=arguments, config=(tyro.conf.OmitSubcommandPrefixes,),
        description="PARA: pixel-aligned robot actions. Add --debug to any command for tracebacks.",
    )  # fmt: skip
    try:
        command.run()
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except (ValueError, FileNotFoundError, ImportError, OSError, KeyError) as error:
        if debug:
            raise
        print(f"para: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
