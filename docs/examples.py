"""A griffe extension: a docstring's Example is code of the same kind as other projects' Examples."""

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Name the section in the way that griffe knows, so that prompts are not taken for quotations."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change one word of each docstring, in memory."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
