"""One call of an engine."""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from drumhead.engine.choose import pick
from drumhead.engine.operator import call, readable
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
    y0, *others = fields  # torch 2.6 compiles no slice of a named tuple
    wide = [None if field is None else field.expand(y0.shape) for field in others[:4]]
    fields = Fields._make((y0, *wide, *others[4:]))
    if plan.segment and readable(fields.decay) and not plan.by_sheets(fields):
        plan = plan.remembering(fields.decay)
    return call(ops.rollout, *fields, *plan.numbers())[:2]


def reduced(device: torch.device) -> bool:
    """Say whether the caller asked for products in bfloat16, as torch.autocast does."""
    kind = device.type
    return torch.is_autocast_enabled(kind) and torch.get_autocast_dtype(kind) == torch.bfloat16


_HOOKS_OF_ALL = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
)


def untouched(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Say whether calling a module does what its class says and nothing else: no subclass, hook or forward of its own.

    Pruning is a hook, a parametrization or torch.compile makes a subclass.
    """
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    own = type(module) is not kind or "forward" in module.__dict__ or any(map(len, hooks))
    return not own and not any(getattr(torch.nn.modules.module, name) for name in _HOOKS_OF_ALL)


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
    return local(layer) and layer.bias is not None and layer.weight.dtype == layer.bias.dtype


def local(layer: nn.Conv2d) -> bool:
    """Say whether a convolution is as built and looks at one pixel at a time, with plain tensors."""
    if not untouched(layer, nn.Conv2d) or layer.weight.shape[2:] != (1, 1):
        return False
    given = (tensor for tensor in (layer.weight, layer.bias) if tensor is not None)
    wrapped = any(map(is_traceable_wrapper_subclass, given))  # quantised or sharded
    return (layer.groups, layer.stride, layer.padding) == (1, (1, 1), (0, 0)) and not wrapped


def pointwise(x: Tensor, network: nn.Module) -> Tensor:
    """Apply a network to features, in the C engine where it can run these `convolutions`, else as torch does.

    Args:
        x: features (b, k, y, x).
        network: what makes logits of them. Under torch.autocast in bfloat16, products are rounded.

    Returns:
        (b, n, y, x) in float32 or float64 from the engine, in the network's own type otherwise.
    """
    found = _compiled(convolutions(network), x)
    return network(x) if found is None else found


def lifted(fine: Tensor, coarse: Tensor, lift: nn.Module, grid: int, network: nn.Module) -> Tensor:
    """Apply a network to maps of two grids: network([fine, pixel_shuffle(lift(coarse), grid)]).

    In the C engine neither the lifted maps nor the whole of them is ever in memory.

    Args:
        fine: features (b, k, y, x).
        coarse: features (b, c, ceil(y / grid), ceil(x / grid)).
        lift: a 1x1 convolution from c maps to m grid^2, m maps at the pixels; those beyond y and x are cut off.
        grid: pixels of a cell in each direction.
        network: what makes logits of the k + m maps. Under torch.autocast in bfloat16, its products are rounded.

    Returns:
        (b, n, y, x) as `pointwise`.

    Example:
        >>> lift, network = torch.nn.Conv2d(5, 3 * 4**2, 1), torch.nn.Conv2d(2 + 3, 7, 1)
        >>> lifted(torch.rand(1, 2, 6, 9), torch.rand(1, 5, 2, 3), lift, 4, network).shape
        torch.Size([1, 7, 6, 9])
    """
    from drumhead.engine.cpu.pointwise import COARSEST

    lifts, layers = convolutions(lift), convolutions(network)
    if len(lifts) == 1 and layers and grid <= COARSEST:
        found = _compiled([*lifts, *layers], fine, coarse, grid)
        if found is not None:
            return found
    raised = F.pixel_shuffle(lift(coarse), grid)[..., : fine.shape[-2], : fine.shape[-1]]
    return pointwise(torch.cat([fine, raised], dim=1), network)


def added(onto: Tensor, x: Tensor, gain: Tensor, shift: Tensor, weight: Tensor, bias: Tensor) -> Tensor | None:
    """Return relu(onto + W relu(gain x + shift) + b) by the C engine, without a gradient; None where it cannot.

    Args:
        onto: features (b, out, y, x).
        x: features (b, in, y, x).
        gain: (in,).
        shift: (in,).
        weight: (out, in).
        bias: (out,).
    """
    from drumhead.engine.cpu import pointwise as compiled

    tensors = (onto, x, gain, shift, weight, bias)
    return call(compiled.added, *tensors) if _forwards(*tensors) else None


def bent(x: Tensor, layer: nn.Conv2d, bends: Sequence[str], offsets: Sequence[float], largest: float) -> Tensor | None:
    """Return parts phi(W x + b + offset) of the same size by the C engine, without a gradient; None where it cannot.

    Args:
        x: features (b, in, y, x).
        layer: a 1x1 convolution.
        bends: phi of each part: "straight", "tanh", "sigmoid", which is scaled, or "softplus".
        offsets: of each part.
        largest: of a sigmoid.

    Returns:
        (parts, b, out / parts, y, x).
    """
    from drumhead.engine.cpu import pointwise as compiled

    if layer.bias is None or not local(layer) or not _forwards(x, layer.weight, layer.bias):
        return None
    codes = [compiled.BENDS.index(bend) for bend in bends]
    return call(compiled.bent, x, layer.weight.flatten(1), layer.bias, codes, list(offsets), largest)


def _forwards(x: Tensor, *tensors: Tensor) -> bool:
    """Say whether the C engine takes an operation without a gradient on these tensors."""
    alike = all(tensor.dtype == x.dtype and tensor.is_cpu for tensor in (x, *tensors))
    if torch.is_grad_enabled() or not alike or torch.is_autocast_enabled("cpu"):
        return False
    return pick("auto", x, (x, *tensors), True, _parts(x)) == "native"


def _parts(x: Tensor, grid: int = 1) -> int | None:
    """Return the tiles of features, and of partial sums for a gradient, that threads share; None in a graph."""
    from drumhead.engine.cpu import pointwise as compiled

    if torch.compiler.is_compiling():
        return None
    batch, _, height, width = x.shape
    tiles = compiled.tiles(batch, height, width, grid)
    return min(tiles, compiled.GROUPS) if torch.is_grad_enabled() else tiles


def _compiled(layers: list[nn.Conv2d], x: Tensor, coarse: Tensor | None = None, grid: int = 1) -> Tensor | None:
    """Return what the C engine makes of features through layers that are all `convolutions`; None where it cannot."""
    from drumhead.engine.cpu import pointwise as compiled

    if not 0 < len(layers) - (coarse is not None) <= compiled.MOST_LAYERS or not x.is_cpu:
        return None
    dtype = layers[-1].weight.dtype
    inputs = [tensor for tensor in (x, coarse) if tensor is not None]
    if any(tensor.dtype != dtype for tensor in inputs) and not torch.is_autocast_enabled("cpu"):
        return None
    like = [tensor.to(dtype) for tensor in inputs]
    weights = [layer.weight.flatten(1) for layer in layers]
    biases = [layer.bias for layer in layers if layer.bias is not None]  # none is, in `convolutions`
    if pick("auto", like[0], (*inputs, *weights, *biases), True, _parts(x, grid)) != "native":
        return None
    return call(compiled.pointwise, like[0], weights, biases, reduced(x.device), *(like[1:] or [None]))
