"""Which modules of a user's network an engine may run itself: those that do what their class says and nothing else."""

import torch
from torch import nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

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
