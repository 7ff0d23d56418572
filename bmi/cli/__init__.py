"""The command line. Every command imports what it needs when it runs, so that ``bmi --help`` stays quick.

Exit codes: 0 good, 2 the user's to mend (recipe, file, missing stream), 3 a fault while running.
"""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from bmi.cli import benches, calibrate, doctor, live, offline, record, recordings
from bmi.errors import BMIError, PluginError
from bmi.registry import load, names

app = typer.Typer(
    name="bmi",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A real-time brain-machine interface: LSL samples in, safe commands out.\n\n"
    "[bold]Research use only; not a medical device.[/bold]",
    epilog="Begin with: [bold]bmi demo[/bold]",
)
app.command()(live.demo)
app.command()(live.run)
app.command()(calibrate.calibrate)
app.command()(record.record)
app.command()(offline.simulate)
app.command()(offline.check)
app.command("list")(offline.list_)
app.command()(recordings.replay)
app.command()(recordings.inspect)
app.command()(recordings.recover)
app.command("eval")(recordings.evaluate)
app.add_typer(benches.app, name="bench")
app.command()(doctor.doctor)
app.command()(offline.version)


def _add(name: str) -> None:
    """Add a battery's command: ``name`` is a group of commands, or ``group.command`` one more of a group of ours."""
    try:
        found = load("commands", name)
    except PluginError as e:
        told = str(e)

        def found() -> None:
            """Not available: its plug-in does not import."""
            raise PluginError(told)

    group, _, command = name.rpartition(".")
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=command)
    else:
        (benches.app if group == "bench" else app).command(command)(found)


for _name in names("commands"):
    _add(_name)


def main() -> NoReturn:
    """Run the command line; errors of ours become a message and an exit code, never a traceback."""
    try:
        app(prog_name="bmi")  # whoever started it: python -m, a test
    except BMIError as e:
        sys.stderr.write(f"bmi: {e}\n")
        sys.exit(e.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("bmi: interrupted; the device was stopped\n")
        sys.exit(130)
    sys.exit(0)
