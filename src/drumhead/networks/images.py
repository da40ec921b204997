"""Images on their way in: from files and arrays to the tensor a model takes."""

import numpy as np
import torch
from torch import Tensor

from drumhead.errors import DrumheadError

MOST = 4  # channels of one image alone: with more it is rather a stack of grey ones, (n, y, x)


def to_images(array: np.ndarray) -> Tensor:
    """Turn uint8 images into the tensor a model takes: x / 255, channels first.

    Args:
        array: uint8, (n, y, x, k), or one image (y, x, k) of at most 4 channels, or (y, x). A grey stack (n, y, x) is
            given as `stack[..., None]`.

    Returns:
        float32 tensor (n, k, y, x) with values in [0, 1].

    Raises:
        DrumheadError: another dtype or number of dimensions, or what may be a grey stack.

    Example:
        >>> dh.to_images(np.zeros((2, 64, 64, 3), np.uint8)).shape
        torch.Size([2, 3, 64, 64])
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or not 2 <= array.ndim <= 4 or not array.size:
        raise DrumheadError(
            f"images: got {array.dtype} of shape {array.shape}; uint8 of shape (n, y, x, k), (y, x, k) or (y, x) "
            "is needed; a float tensor (n, k, y, x) with values in [0, 1] can go to the model as it is"
        )
    if array.ndim == 3 and array.shape[-1] > MOST:
        raise DrumheadError(
            f"images: got uint8 of shape {array.shape}, which would be one image of {array.shape[-1]} channels; "
            f"allowed are (n, y, x, k), (y, x, k) of at most {MOST} channels, and (y, x): give a grey stack (n, y, x) "
            "as stack[..., None], and one image of more channels as image[None]"
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3:
        array = array[None]
    return torch.from_numpy(array.transpose(0, 3, 1, 2).astype(np.float32) / 255)
