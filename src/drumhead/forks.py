"""Whether this process was forked from one that knew drumhead: of its threads, none came along."""

import os

forked = False


def _note() -> None:
    global forked
    forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
