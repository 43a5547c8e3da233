"""The commands by name, and what every one of them shares: errors as one sentence, exit codes, `--json`, `--debug`."""

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from keyword import iskeyword
from typing import Any

from cyclopts import App, CycloptsError, Group

import glassloom
from glassloom.cli.output import aside, on_one_line, print_error, show_notice
from glassloom.cli.usage import usage_error
from glassloom.cli.workers import is_heard, is_launched, last_words, rank_here
from glassloom.errors import GlassloomError, InputError, Notice, WorkerError, nearest

START = Group("From a text to a model", sort_key=0)
LOOK = Group("Using and comparing", sort_key=1)
KEEP = Group("What is there", sort_key=2)

COMMANDS: dict[str, tuple[str, Group]] = {
    "demo": ("Train all four models on real text that is on every machine, compare them, write a report.", START),
    "train": ("Train a model on a text.", START),
    "compare": ("Give several models or settings the same budget; table, figures, recommendation.", START),
    "search": ("Search settings for a model: many short trainings, hopeless ones stopped.", START),
    "plan": ("Foretell what to train in a time, and the loss it will reach.", START),
    "run": ("Carry out a named experiment and write its page.", START),
    "evaluate": ("Score a run on held-out text, beside the baselines.", LOOK),
    "generate": ("Let a run continue a prompt.", LOOK),
    "view": ("Look inside a run: what it expects, where it looks, what it remembers.", LOOK),
    "export": ("Take a model out: a page in which it runs, or files for transformers, ONNX, GGUF.", LOOK),
    "import": ("Make a run of a model that was trained elsewhere: a folder of safetensors.", LOOK),
    "report": ("Write the page about one or more runs.", LOOK),
    "studio": ("Open a live page over the runs: watch, train, write, look inside.", LOOK),
    "doctor": ("Find out why a model does not learn: any PyTorch file, or a run.", LOOK),
    "serve": ("Serve runs to programs that speak the OpenAI completions protocol.", LOOK),
    "gradcheck": ("Compare every architecture's gradients with numerical ones.", LOOK),
    "corpora": ("List the texts and languages that have a name, or describe one text.", KEEP),
    "runs": ("List the runs, with state, loss and size.", KEEP),
}
"""Each command is the function of its name in the module of its name, imported when it is asked for."""

EXAMPLES = """
For example: glassloom demo
             glassloom train my-text.txt --model gru --minutes 2

Every command takes --help, --json (one JSON object, last) and --debug (a traceback for an error).
"""


def build(called: str = "") -> App:
    """The command line as cyclopts sees it; no command's module is imported but that of the command called.

    The others show their one line; the one that is called explains itself.
    """
    app = App(
        name="glassloom",
        help=f"{glassloom.__doc__}\n{EXAMPLES}",
        help_format="plaintext",
        version=f"glassloom {glassloom.__version__}",
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app["--help"].group = app["--version"].group = KEEP
    for place, (name, (about, group)) in enumerate(COMMANDS.items()):
        help = None if name == called else about
        code = f"{name}_" if iskeyword(name) else name  # `import` cannot be a module's name
        app.command(f"glassloom.cli.{code}:{code}", name=name, help=help, group=group, sort_key=place)
    return app


def run(arguments: list[str]) -> int:
    """Run the command and return its exit code; what a user can cause never shows a traceback without `--debug`."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    make_printable()
    with warnings.catch_warnings():
        warnings.simplefilter("default" if is_heard() else "ignore", Notice)
        warnings.showwarning = show_notice
        return exit_code(arguments, as_json, debug)


def exit_code(arguments: list[str], as_json: bool, debug: bool) -> int:
    """Run the command; every way in which it can end has its code."""
    try:
        return last_words(int(carry_out(arguments) or 0))
    except CycloptsError as error:
        ours = usage_error(error, command_of(arguments))
        ours.__cause__ = error
        return report_error(ours, as_json, debug)
    except GlassloomError as error:
        return report_error(error, as_json, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as interrupt:
        if is_heard():
            aside("interrupted")
        return last_words(getattr(interrupt, "exit_code", 130))
    except Exception as error:  # our own mistake, or too little memory; say so, and how to see it
        return report_error(unforeseen(error), as_json, debug)


def carry_out(arguments: list[str]) -> Any:
    """Parse and call."""
    command = command_of(arguments)
    if command and command not in COMMANDS:
        raise InputError(f"There is no command {command}", f"one of {', '.join(COMMANDS)}", nearest(command, COMMANDS))
    if any(word.startswith(("--data.", "--model.", "--train.", "--no-")) and "." in word for word in arguments):
        from glassloom.cli.flags import short_names

        arguments = short_names(arguments)
    if command and "--help" in arguments:
        build(command).help_print([command])  # parsing the rest would only take time
        return 0
    if "--explain" in arguments:
        from glassloom.cli.doctor import all_named

        arguments = all_named(arguments)
    if not command:
        return build()(arguments, exit_on_error=False, print_error=False)
    if not is_heard():
        return build(command)(arguments, exit_on_error=False, print_error=False)
    from glassloom.cli.preparing import Preparing
    from glassloom.data.watching import telling

    with Preparing() as preparing, telling(preparing):
        return build(command)(arguments, exit_on_error=False, print_error=False)


def command_of(arguments: list[str]) -> str:
    """The command that was called; empty where none was."""
    return arguments[0] if arguments and not arguments[0].startswith("-") else ""


def unforeseen(error: Exception) -> GlassloomError:
    """The error for what no other error foresaw."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, MemoryError) or "allocate memory" in what:
        return GlassloomError(
            "Memory ran out", "a model and batches that fit", "lower --width, --layers or --batch-size"
        )
    mistake = GlassloomError(f"Glassloom made a mistake: {what}", fix="run it again with --debug and report it")
    mistake.__cause__ = error
    return mistake


def report_error(error: GlassloomError, as_json: bool, debug: bool) -> int:
    """Print the error and return its exit code. Of several workers, each says what the first does not know."""
    if debug:
        traceback.print_exception(error)
    starts_again = isinstance(error, WorkerError) and is_launched()  # whoever started it says how it ended
    if is_heard() and starts_again:
        aside(on_one_line(f"notice: {error.what}"))
    elif is_heard():
        print_error(error, as_json)
    elif not error.is_told and not isinstance(error, WorkerError):
        aside(f"error of worker {rank_here()}: {error}")
    return last_words(error.exit_code, error)


def make_printable() -> None:
    """A character that the terminal's encoding lacks is shown as an escape instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., None] | None = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
