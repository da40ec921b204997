"""Compile CUDA C when it is first needed (NVRTC) and launch it (the driver), both through ctypes.

PyTorch brings NVRTC with its CUDA builds, so there is nothing to install and no compiler to find. What was compiled is
kept in the user's cache directory under a hash of the source, the macros, the architecture and NVRTC's version.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from drumhead import files
from drumhead.errors import DrumheadError

_SHARED_OPTIN = 97  # CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
_HELP = "pass backend='eager' to do without; `drumhead doctor` says what is installed"


def compile_cubin(source: str, macros: dict[str, object], architecture: str) -> bytes:
    """Return machine code for an architecture such as "sm_90", from the cache if it was compiled before.

    Raises:
        DrumheadError: there is no NVRTC, or it refuses the source; the message has its log.
    """
    nvrtc = _nvrtc()
    options = [f"--gpu-architecture={architecture}", "--std=c++17", *(f"-D{k}={v}" for k, v in macros.items())]
    identity = "\0".join([source, *options, compiler()])
    path = files.cache_dir() / "cuda" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.cubin"
    with contextlib.suppress(OSError):
        return path.read_bytes()
    with ThreadPoolExecutor(1) as apart:  # NVRTC 12.4 leaves its thread in a locale in which Python reads ASCII alone
        cubin = apart.submit(_compile, nvrtc, source, options).result()
    with contextlib.suppress(OSError):  # a read-only home costs a compilation a process, no more
        files.write_atomic(path, cubin)
    return cubin


def compiler() -> str:
    """Return the name and version of what compiles for the GPU.

    Raises:
        DrumheadError: there is no NVRTC.
    """
    major, minor = ctypes.c_int(), ctypes.c_int()
    _nvrtc().nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
    return f"NVRTC {major.value}.{minor.value}"


@functools.cache
def compiles() -> bool:
    """Say whether something here compiles for the GPU; every forward pass asks."""
    try:
        return bool(torch.version.cuda and compiler())
    except DrumheadError:
        return False


def _compile(nvrtc: ctypes.CDLL, source: str, options: list[str]) -> bytes:
    program = ctypes.c_void_p()
    code = nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"waves.cu", 0, None, None)
    if code:
        raise DrumheadError(f"NVRTC failed with error {code}; {_HELP}")
    try:
        encoded = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        if code := nvrtc.nvrtcCompileProgram(program, len(options), encoded):
            log = _fetch(program, nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog).rstrip(b"\0").decode()
            raise DrumheadError(f"NVRTC could not compile the waves with {' '.join(options)}; {_HELP}:\n{log}")
        return _fetch(program, nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def _fetch(program: ctypes.c_void_p, size: Callable[..., int], content: Callable[..., int]) -> bytes:
    count = ctypes.c_size_t()
    size(program, ctypes.byref(count))
    buffer = ctypes.create_string_buffer(count.value)
    content(program, buffer)
    return buffer.raw


@functools.cache
def _nvrtc() -> ctypes.CDLL:
    """Load the NVRTC that PyTorch was built for: beside PyTorch, else of the CUDA toolkit, else by its name alone."""
    major = (torch.version.cuda or "13").split(".")[0]
    windows = sys.platform == "win32"
    name = f"nvrtc64_{major}0_0.dll" if windows else f"libnvrtc.so.{major}"
    site = Path(torch.__file__).parents[1]
    home = Path(os.environ.get("CUDA_HOME") or os.environ.get("CUDA_PATH") or "/usr/local/cuda")
    folders = [site / "torch" / "lib", *sorted(site.glob("nvidia/*/lib")), home / ("bin" if windows else "lib64")]
    for path in [*(folder / name for folder in folders), Path(name)]:
        with contextlib.suppress(OSError):
            # NVRTC asks for this one by name, and pip's folders are not where names are looked up.
            for helper in path.parent.glob("libnvrtc-builtins.so*") if path.is_absolute() else ():
                ctypes.CDLL(str(helper), mode=ctypes.RTLD_GLOBAL)
            return ctypes.CDLL(str(path))
    raise DrumheadError(f"{name}, which compiles for the GPU, was not found beside PyTorch or in {home}; {_HELP}")


@functools.cache
def _cuda() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as error:
        raise DrumheadError(f"the CUDA driver could not be loaded ({error}); {_HELP}") from None
    pointer, number = ctypes.c_void_p, ctypes.c_uint
    library.cuLaunchKernel.argtypes = [pointer, *[number] * 7, pointer, pointer, pointer]
    library.cuFuncSetAttribute.argtypes = [pointer, ctypes.c_int, ctypes.c_int]
    library.cuCtxSetCurrent.argtypes = [pointer]
    library.cuModuleGetFunction.argtypes = [pointer, pointer, ctypes.c_char_p]
    return library


def _check(code: int, doing: str) -> None:
    if code:
        text = ctypes.c_char_p()
        _cuda().cuGetErrorString(code, ctypes.byref(text))
        reason = text.value.decode() if text.value else f"error {code}"
        raise DrumheadError(f"CUDA failed while {doing}: {reason}; {_HELP}")


@functools.cache
def shared_limit(device: torch.device) -> int:
    """Return how many bytes of shared memory one block may have on a device."""
    if not torch.version.cuda:  # AMD's devices call themselves cuda too, and have no NVRTC
        return 0
    torch.cuda.init()
    handle, value = ctypes.c_int(), ctypes.c_int()
    _check(_cuda().cuDeviceGet(ctypes.byref(handle), device.index), "finding the device")
    _check(_cuda().cuDeviceGetAttribute(ctypes.byref(value), _SHARED_OPTIN, handle), "reading the device")
    return value.value


def architecture(device: torch.device) -> str:
    """Return the name of a device's machine code, such as "sm_90"."""
    major, minor = torch.cuda.get_device_capability(device)
    return f"sm_{major}{minor}"


def load(cubin: bytes, name: str, device: torch.device) -> ctypes.c_void_p:
    """Load machine code on a device and return the handle of one of its kernels."""
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    with _inside(device):
        _check(_cuda().cuModuleLoadData(ctypes.byref(module), cubin), "loading the waves")
        _check(_cuda().cuModuleGetFunction(ctypes.byref(function), module, name.encode()), f"looking for {name}")
    return function


def launch(
    function: ctypes.c_void_p, blocks: int, threads: int, shared: int, task: ctypes.Structure, device: torch.device
) -> None:
    """Run a kernel with one struct as argument on PyTorch's current stream of a device."""
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(task))
    with _inside(device):
        if shared > 48 * 1024:  # more than this only on request
            _check(_cuda().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, shared), f"asking for {shared} bytes")
        stream = torch.cuda.current_stream(device).cuda_stream
        code = _cuda().cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, stream, arguments, None)
        _check(code, f"launching {blocks} blocks of {threads} threads with {shared} bytes each")


@contextlib.contextmanager
def _inside(device: torch.device) -> Iterator[None]:
    """Make PyTorch's context of the device the thread's own: one that only allocated may have none yet."""
    with torch.cuda.device(device):
        current = ctypes.c_void_p()
        _check(_cuda().cuCtxGetCurrent(ctypes.byref(current)), "asking for the context")
        if not current.value:
            _check(_cuda().cuCtxSetCurrent(_context(device.index)), "entering the context")
        yield


@functools.cache  # retained once and never given back: PyTorch holds the same context until the process ends
def _context(index: int) -> ctypes.c_void_p:
    handle, context = ctypes.c_int(), ctypes.c_void_p()
    _check(_cuda().cuDeviceGet(ctypes.byref(handle), index), "finding the device")
    _check(_cuda().cuDevicePrimaryCtxRetain(ctypes.byref(context), handle), "entering the context")
    return context
