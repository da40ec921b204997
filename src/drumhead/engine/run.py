"""One call of an engine."""

import sys
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import is_in_torch_dispatch_mode, is_traceable_wrapper_subclass

from drumhead.engine.choose import pick
from drumhead.engine.plan import Fields, Rollout, planned, planning


def exactly_local() -> AbstractContextManager[None]:
    """Let a step depend on the kernel's window alone, to the bit, in this thread or task.

    The C engine couples four rows of dense kernels at once and faster, which leaves rounding errors (1e-7 of the
    largest value nearby) one to two rows beyond the window. Use this where zero has to be zero, as in a receptive
    field; the backward pass does as its forward pass did.

    Example:
        >>> with dh.engine.exactly_local():
        ...     logits = dh.build("multi-mnist/nwm-last")(torch.rand(1, 1, 8, 8))
    """
    return planning(quad_channels=sys.maxsize)


def run(plan: Rollout, fields: Fields) -> tuple[Tensor, Tensor]:
    """Return what the plan keeps of a rollout and its end, differentiable in every tensor; fields broadcast to y0."""
    from drumhead.engine import ops

    if changes := planned():
        plan = replace(plan, **dict(changes))
    y0 = fields.y0
    wide = (None if field is None else field.expand(y0.shape) for field in fields[1:5])
    fields = Fields._make((y0, *wide, *fields[5:]))
    asks = plan.segment and y0.is_cpu and not _tracing(fields.decay)  # a GPU would wait, a graph cannot ask
    if asks and not plan.by_sheets(fields):
        plan = plan.remembering(fields.decay)
    return ops.rollout(*fields, *plan.numbers())[:2]


def _tracing(tensor: Tensor) -> bool:
    """Say whether values may be unknown or other ones later; under torch's other modes it is merely not needed."""
    if torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None:
        return True
    from torch._subclasses.fake_tensor import is_fake

    return is_in_torch_dispatch_mode() or is_fake(tensor)


def reduced(device: torch.device) -> bool:
    """Say whether the caller asked for products in bfloat16, as torch.autocast does."""
    kind = device.type
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16


def untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Say whether calling a module does what its class says and nothing else: no subclass, hook or forward of its own.

    Pruning is a hook, a parametrization or torch.compile makes a subclass.
    """
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    own = type(module) is not kind or "forward" in module.__dict__ or any(map(len, hooks))
    return not own and not torch.nn.modules.module._has_any_global_hook()


def convolutions(network: nn.Module) -> list[nn.Conv2d]:
    """Return the layers of a network of 1x1 convolutions with ReLU between them, which an engine may run; else none.

    Whatever else its user made of it, or looks at in it through a hook, is torch's to run, as written.
    """
    layers = [network]
    if isinstance(network, nn.Sequential) and untouched(network, nn.Sequential):
        layers = list(network)
    found = [layer for layer in layers[::2] if isinstance(layer, nn.Conv2d) and _mixes(layer)]
    whole = len(layers) % 2 and len(found) == len(layers[::2]) and all(untouched(x, nn.ReLU) for x in layers[1::2])
    return found if whole and len({layer.weight.dtype for layer in found}) == 1 else []


def _mixes(layer: nn.Conv2d) -> bool:
    """Say whether a layer is W x + b at each pixel, with plain tensors of one type."""
    if not untouched(layer, nn.Conv2d) or layer.bias is None or layer.weight.shape[2:] != (1, 1):
        return False
    wrapped = any(map(is_traceable_wrapper_subclass, (layer.weight, layer.bias)))  # quantised or sharded
    alone = (layer.groups, layer.stride, layer.padding) == (1, (1, 1), (0, 0))
    return alone and layer.weight.dtype == layer.bias.dtype and not wrapped


def pointwise(x: Tensor, network: nn.Module) -> Tensor:
    """Apply a network to features, in the C engine where it can run these `convolutions`, else as torch does.

    Args:
        x: features (b, k, y, x).
        network: what makes logits of them. Under torch.autocast in bfloat16, products are rounded.

    Returns:
        (b, n, y, x) in float32 or float64 from the engine, in the network's own type otherwise.
    """
    from drumhead.engine.cpu import pointwise as compiled

    layers = convolutions(network)
    if 0 < len(layers) <= compiled.MOST_LAYERS and x.is_cpu:
        like = x.to(layers[0].weight.dtype)
        weights = [layer.weight.flatten(1) for layer in layers]
        biases = [layer.bias for layer in layers if layer.bias is not None]  # none is, in `convolutions`
        fits = x.dtype == like.dtype or torch.is_autocast_enabled("cpu")
        if fits and pick("auto", like, (x, *weights, *biases), True) == "native":
            return compiled.pointwise(like, weights, biases, reduced(x.device))
    return network(x)
