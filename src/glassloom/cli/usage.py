"""What the parser complains about, as one of our errors: what happened, what was expected, what to do."""

import difflib

from cyclopts import (
    Argument,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from glassloom.errors import InputError, SettingError


def usage_error(error: CycloptsError, command: str) -> InputError:
    """The error in our words; `command` is the one that was called, or empty."""
    from glassloom.config.fields import KINDS

    name, see = command or "glassloom", f"see glassloom {command} --help".replace("  ", " ")
    match error:
        case UnknownOptionError():
            unknown = (error.token.keyword or error.token.value).split("=")[0]
            known = [flag for argument in error.argument_collection for flag in argument.names if flag[:2] == "--"]
            close = difflib.get_close_matches(f"--{unknown.lstrip('-').rpartition('.')[2]}", known, n=1, cutoff=0.6)
            return SettingError(f"{name} has no option {unknown}", fix=f"did you mean {close[0]}?" if close else see)
        case MissingArgumentError(argument=Argument() as argument) if argument.name.startswith("--"):
            flag = error.keyword or argument.name
            return SettingError(
                f"{flag} needs a value", fix=f"write {flag}=VALUE where the value begins with a hyphen, or {see}"
            )
        case MissingArgumentError(argument=Argument() as argument):
            return InputError(f"{name} needs {argument.name}", f"glassloom {name} {argument.name}", see)
        case CoercionError(argument=Argument() as argument, token=token) if token is not None:
            expected = KINDS.get(error.target_type or str, "")
            return SettingError(f"{argument.name} cannot be {token.value or repr('')}", expected, see)
        case RepeatArgumentError():
            return SettingError(f"{error.token.keyword} was given more than once", "one value", "drop the others")
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            return InputError(f"{name} cannot make use of {first!r}", "nothing more than its usage line names", see)
    return InputError(" ".join(str(error).split()).replace('"', ""), fix=see)
