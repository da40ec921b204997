"""The command line: one verb a file, each a function whose signature is its options.

Nothing here imports torch before a verb has its arguments, so that `--help` is instant.
"""

import importlib
import io
import os
import sys
from collections.abc import Sequence

from drumhead.errors import DrumheadError, printable

VERBS = {
    "segment": "find objects in images and show how they were heard",
    "listen": "hear the objects of images, one by one and all together",
    "train": "train a network from a preset, or resume a run",
    "evaluate": "measure a trained network on a task",
    "sweep": "train every combination of some settings, here or on a cluster",
    "report": "set the runs of a directory beside each other: table, curves, tests",
    "reproduce": "repeat the paper's experiments and set its numbers beside ours",
    "export": "write a network as ONNX graphs that run without drumhead",
    "waves": "look for waves in a recording, or say what a network's would be in cortex",
    "drum": "strike a drum of any shape and say what can be heard of its shape",
    "playground": "draw, and see and hear what a network makes of it, in the browser",
    "push": "put a run on the Hugging Face Hub",
    "cite": "print BibTeX for what a run used",
    "bench": "measure time and memory against a loop like the published code's",
    "doctor": "say what is installed, found and missing",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb; exit with 2 and one sentence for the user's mistakes, 130 when interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that this terminal cannot show is no error
    try:
        _dispatch(arguments)
        sys.stdout.flush()
    except DrumheadError as error:
        sys.exit(_complain(str(error)))
    except UnicodeEncodeError as error:
        sys.exit(_complain(f"{error.object!r} is a name that cannot be written as text; rename it"))
    except BrokenPipeError:  # `drumhead ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (FileExistsError, NotADirectoryError) as error:
        place = error.filename or "a path"
        sys.exit(_complain(f"{place}: there is a file where a directory is needed; choose another place"))
    except OSError as error:
        sys.exit(_complain(f"{error.filename or 'a file'}: {error.strerror or error}"))
    except KeyboardInterrupt as error:
        print("; ".join(["interrupted", *map(str, error.args)]), file=sys.stderr)
        sys.exit(130)


def _dispatch(arguments: list[str]) -> None:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("drumhead: neural networks that hear the shape of things\n\nusage: drumhead VERB [options]\n")
        print("\n".join(f"  {verb:<10} {text}" for verb, text in VERBS.items()))
        print("\n'drumhead VERB --help' explains a verb.")
        return
    verb, *rest = arguments
    if verb == "--version":
        from drumhead import __version__

        print(__version__)
        return
    if verb not in VERBS:
        raise DrumheadError(f"{verb!r} is not a verb of drumhead; there are {', '.join(VERBS)}")
    importlib.import_module(f"drumhead.cli.{verb}").run(rest)


def _complain(message: str) -> int:
    print(f"drumhead: {printable(message)}", file=sys.stderr)
    return 2
