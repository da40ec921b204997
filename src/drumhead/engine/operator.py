"""Operators of torch, and the short way to what they do.

torch's way to an operator written in Python takes 0.1 ms, as long as a small layer of waves. It is there for gradients,
compilers and other observers; where there are none, the function itself gives the same numbers.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

_PLAIN = (Tensor, nn.Parameter)


def operator(name: str, schema: str | None = None) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of tensors an operator that changes none of them; it keeps the function as `direct`.

    Without a `schema` it follows from the annotations, of which torch 2.6 does not read lists.
    """

    def made(function: Callable[..., Any]) -> Any:
        op: Any = torch.library.custom_op(name, function, mutates_args=(), schema=schema)
        op.direct = function
        return op

    return made


def call(op: Any, *inputs: Any) -> Any:
    """Return what an operator makes of its inputs."""
    return (op.direct if unseen(inputs) else op)(*inputs)


def traced() -> bool:
    """Say whether torch compiles or traces what runs now."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def exporting() -> bool:
    """Say whether this becomes a graph of torch.export, which may be meant for all sizes and so asks for none.

    torch 2.6 does not say, and takes a graph of torch.compile for one as well.
    """
    return getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)()


def readable(tensor: Tensor) -> bool:
    """Say whether values may be asked: a GPU would wait, a graph and a transform of torch.func cannot answer."""
    if not tensor.is_cpu or traced() or is_in_torch_dispatch_mode():  # in torch's other modes it is merely not needed
        return False
    from torch._subclasses.fake_tensor import is_fake

    return not is_fake(tensor) and not _wrapped(tensor)


def transformed(tensors: Iterable[Tensor | None]) -> bool:
    """Say whether a transform of torch.func is at work on these, or a derivative in forward mode is taken."""
    if torch.compiler.is_dynamo_compiling():
        return False  # neither question can be traced; inside a transform an operator itself refuses
    return any(tensor is not None and _wrapped(tensor) for tensor in tensors) or forward_ad._current_level >= 0


def _wrapped(tensor: Tensor) -> bool:
    return torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # pyright: ignore[reportAttributeAccessIssue]


def unseen(inputs: tuple[Any, ...]) -> bool:
    """Say whether nobody wants more of an operation than its numbers."""
    if torch.is_grad_enabled() or traced() or is_in_torch_dispatch_mode():
        return False
    flat = (part for given in inputs for part in (given if isinstance(given, list) else (given,)))
    return all(type(part) in _PLAIN and not part.is_neg() for part in flat if isinstance(part, Tensor))
