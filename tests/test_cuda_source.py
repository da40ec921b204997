"""The CUDA engine without a GPU: the same source, run by real threads on the processor, against the loop."""

import contextlib
import ctypes
import functools
import itertools
import locale
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import drumhead as dh
from drumhead.engine import boundaries
from drumhead.engine.gpu import cuda, driver, unfused
from drumhead.engine.plan import Fields, Plan, Results
from drumhead.errors import DrumheadError

H100 = 232448  # bytes of shared memory that a block may ask for
GXX = shutil.which("g++")
NVCC = shutil.which("nvcc")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
needs_gxx = pytest.mark.skipif(GXX is None, reason="no C++ compiler on this machine")


@pytest.fixture
def threads(monkeypatch, tmp_path_factory):
    """Let drumhead.engine.gpu.cuda run on the processor; returns the layouts it used."""
    folder = tmp_path_factory.getbasetemp() / "waves"
    used = []

    def function(layout, device):
        used.append(layout)
        return _compile(layout, folder)

    def launch(function, blocks, threads, shared, task, device):
        function(blocks, threads, shared, ctypes.byref(task))

    monkeypatch.setattr(cuda, "_function", function)
    monkeypatch.setattr(driver, "launch", launch)
    monkeypatch.setattr(driver, "shared_limit", lambda device: H100)
    return used


@functools.cache
def _compile(layout, folder):
    folder.mkdir(exist_ok=True)
    name = "drumhead_adjoint" if layout.adjoint else "drumhead_forward"
    path = folder / f"{abs(hash(layout))}.so"
    _build(
        layout,
        path,
        'extern "C" void launch(int blocks, int threads, int bytes, const Task* task)'
        f"{{ run({name}, blocks, threads, bytes, task); }}",
    )
    return ctypes.CDLL(str(path)).launch


def _build(layout, path, more):
    """Compile the kernels of a layout, and more, into a shared library for the processor."""
    text = f'#include "{Path(__file__).parent / "cuda_shim.h"}"\n{cuda.source()}\n{more}\n'
    flags = [f"-D{key}={value}" for key, value in cuda.macros(layout).items()]
    command = [GXX, "-x", "c++", "-", "-std=c++17", "-O1", "-pthread", "-shared", "-fPIC", "-o", str(path), *flags]
    subprocess.run([*command, "-Wall", "-Wno-unknown-pragmas"], input=text, text=True, check=True)


class Problem:
    """A random medium, its coefficients as `drumhead.propagate` makes them, and the answer of the loop."""

    def __init__(self, integrator, c, size, k, depthwise, z0, basis=None, b=2, dtype=torch.float32, **settings):
        usual = dict(tanh=True, boundary="periodic", keep="series", steps=7, dt=0.25, ends=True, begun=False)
        self.settings = usual | settings
        self.integrator, self.basis = integrator, basis
        shape = (b, c, *size)
        self.y0, self.omega = torch.randn(shape), 2 * torch.rand(shape)
        self.alpha = 0.2 + torch.rand(shape)
        self.z0 = torch.randn(shape) if z0 else None
        self.kernel = 0.3 * torch.randn(c, 1 if depthwise else c, *((k, k) if isinstance(k, int) else k))
        for name in ("y0", "omega", "alpha", "z0", "kernel", "basis"):
            value = getattr(self, name)
            setattr(self, name, None if value is None else value.to(dtype))

    def inputs(self, device="cpu"):
        """The plan, and the engine's tensors."""
        dt, s = self.settings["dt"], self.settings
        first = None
        if self.integrator == "euler":
            decay, numbers = 1 - dt * self.alpha, dict(offset=dt, slope=0.0, first_offset=dt)
        else:
            decay = torch.exp(-dt * self.alpha)
            numbers = dict(offset=dt / 2, slope=dt / 2, first_offset=dt / 2)
            first = None if self.z0 is None or s["begun"] else torch.exp(-dt * self.alpha / 2)
        plan = Plan(**s, **numbers)
        tensors = (self.y0, self.z0, self.omega, decay, first, self.kernel, self.basis, None)
        return plan, Fields(*(None if x is None else x.to(device) for x in tensors))

    def kept(self, series, basis, argmax):
        """What a record keeps of the loop's series."""
        s = self.settings
        if s["keep"] == "series":
            return series[:, s.get("every", 1) - 1 :: s.get("every", 1)]
        if s["keep"] == "max":  # of two states that differ by a rounding error, the engine's choice has the gradient
            chosen = series.gather(1, argmax.cpu().long()[:, None])[:, 0]
            close(chosen, series.amax(1), 1e-5)
            return chosen
        return torch.einsum("kt,btcyx->bkcyx" if s["keep"] == "project" else "ktc,btcyx->bkyx", basis, series)

    def check(self, engine=cuda, tolerance=2e-5, device="cpu"):
        """Compare an engine with `drumhead.propagate` in double precision."""
        plan, inputs = self.inputs(device)
        out, end, *saved = engine.forward(plan, inputs)

        # The engine's inputs, not alpha, are the leaves: its gradients are of them.
        leaves = Fields(*(None if x is None else x.cpu().double().requires_grad_() for x in inputs))
        decay = leaves.decay
        series, last = dh.propagate(
            dh.State(leaves.y0, leaves.z0, begun=plan.begun),
            leaves.omega,
            (1 - decay) / plan.dt if self.integrator == "euler" else -decay.log() / plan.dt,
            leaves.kernel,
            steps=plan.steps,
            dt=plan.dt,
            nonlinearity="tanh" if plan.tanh else "linear",
            boundary=plan.boundary,
            integrator=self.integrator,
            backend="eager",
            check_stability=False,
            return_state=True,
        )
        expected_end = torch.stack((last.y, last.z))
        if leaves.first_decay is not None:  # alpha ties both decays together; for a gradient of each they must be free
            free, expected_end = _loop(plan, *leaves[:6])
            close(free, series, 1e-5)
            series = free
        expected = self.kept(series, leaves.basis, saved[1])
        close(out, expected, tolerance)
        close(end, expected_end, tolerance)
        grad, grad_end = torch.randn_like(out), torch.randn_like(end)
        *grads, error = engine.backward(plan, inputs, Results(grad, grad_end, *saved))
        wanted = [x for x in leaves if x is not None]
        loss = (expected * grad.cpu().double()).sum() + (expected_end * grad_end.cpu().double()).sum()
        answers = iter(torch.autograd.grad(loss, wanted, allow_unused=True))
        for name, leaf, got in zip(Fields._fields[:7], leaves[:7], grads, strict=True):
            if leaf is None:
                assert got is None, name
            else:
                answer = next(answers)
                close(got, torch.zeros_like(leaf) if answer is None else answer, 5 * tolerance, name)
        assert error.shape == (len(self.y0),)
        assert error.dtype == torch.float64
        assert error.max() < (1e-3 if not plan.stored and plan.segment else 1e-30)


def _loop(plan, y, z, omega, decay, first, kernel):
    """The recursion with a first decay of its own."""
    series = []
    for t in range(plan.steps):
        padded = boundaries.pad(y, (kernel.shape[-2] // 2, kernel.shape[-1] // 2), plan.boundary)
        groups = 1 if kernel.shape[1] == y.shape[1] else y.shape[1]
        force = torch.nn.functional.conv2d(padded, kernel, groups=groups)
        force = (force.tanh() if plan.tanh else force) - omega * y
        z = decay * z + (plan.offset + plan.slope * decay) * force if t else first * z + plan.first_offset * force
        y = y + plan.dt * z
        series.append(y)
    return torch.stack(series, 1), torch.stack((y, z))


def close(got, expected, tolerance, name="out"):
    assert got.shape == expected.shape, name
    scale = expected.abs().max().item() + 1e-6
    assert (got.cpu().double() - expected).abs().max().item() <= tolerance * scale, name


SIZES = [(1, 1), (5, 7), (17, 16)]


@needs_gxx
@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("depthwise", "k"), [(False, 3), (True, 3), (False, 5), (True, (5, 1)), (False, 1)])
def test_waves_of_any_size_and_boundary(threads, boundary, depthwise, k):
    for size, stored in itertools.product(SIZES, (False, True)):
        integrator = "euler" if size == (5, 7) else "verlet"
        Problem(integrator, 2, size, k, depthwise, True, boundary=boundary, segment=3, stored=stored).check()


@needs_gxx
@pytest.mark.parametrize("keep", ["every", "project", "mix", "max"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_waves_of_any_record(threads, monkeypatch, keep, depthwise):
    monkeypatch.setattr(cuda, "SCRATCH", 0)
    monkeypatch.setattr(cuda, "LEAST_STATES", 2)  # blocks of steps that do not end where segments do
    basis = {"project": torch.randn(3, 7), "mix": torch.randn(3, 7, 2)}.get(keep)
    choices = dict(every=3, keep="series") if keep == "every" else dict(keep=keep)
    for tanh, z0, (segment, stored) in zip(
        (True, False, True, False),
        (False, True, True, False),
        ((3, False), (3, True), (100, False), (0, False)),
        strict=True,
    ):
        problem = Problem(
            "verlet", 2, (5, 6), 3, depthwise, z0, basis, tanh=tanh, segment=segment, stored=stored, **choices
        )
        problem.check()


@needs_gxx
@pytest.mark.parametrize("keep", ["series", "project", "max"])
@pytest.mark.parametrize("integrator", ["euler", "verlet"])
def test_waves_go_on_where_others_stopped(threads, monkeypatch, keep, integrator):
    monkeypatch.setattr(cuda, "SCRATCH", 0)
    monkeypatch.setattr(cuda, "LEAST_STATES", 2)
    basis = torch.randn(3, 7) if keep == "project" else None
    for stored in (False, True):
        problem = Problem(integrator, 2, (5, 6), 3, False, True, basis, segment=3, stored=stored, keep=keep, begun=True)
        problem.check()


@needs_gxx
@pytest.mark.parametrize("channels", [1, 3, 11, 16])
def test_waves_of_any_number_of_channels(threads, channels):
    problem = Problem("verlet", channels, (6, 5), 3, False, True, boundary="reflecting", segment=4)
    problem.kernel /= channels
    problem.check()
    assert {layout.group for layout in threads} == {{1: 1, 3: 3, 11: 1, 16: 8}[channels]}


@needs_gxx
@pytest.mark.parametrize("limit", ["tight", "roomy"])
@pytest.mark.parametrize("depthwise", [False, True])
def test_fields_that_registers_do_not_hold(threads, monkeypatch, limit, depthwise):
    monkeypatch.setattr(cuda, "THREADS", 32)
    monkeypatch.setattr(cuda, "REGISTERS", 32 * (70 if limit == "roomy" else 30))
    planes = 1 if depthwise else 2
    plane = (14 * 15 | 1) * planes
    weights = planes**2 * 9
    # The adjoint needs two planes and two copies of the weights; one field more has room, or none.
    words = 2 * (plane + weights) + (0 if limit == "tight" else 2 * planes * 12 * 13)
    monkeypatch.setattr(driver, "shared_limit", lambda device: 4 * words)
    cuda._layout.cache_clear()
    try:
        Problem("verlet", 2, (12, 13), 3, depthwise, True, segment=4).check()
        Problem("verlet", 2, (12, 13), 3, depthwise, True, segment=4, stored=True, boundary="reflecting").check()
    finally:
        cuda._layout.cache_clear()
    fields = {(layout.adjoint, layout.held, layout.onchip) for layout in threads}
    assert any(held + onchip < (7 if adjoint else 3) for adjoint, held, onchip in fields), fields


@needs_gxx
def test_one_copy_of_a_plane_when_two_do_not_fit(threads, monkeypatch):
    monkeypatch.setattr(driver, "shared_limit", lambda device: 4 * (2 * 9 * 11 + 72))
    problem = Problem("euler", 2, (7, 9), 3, False, True)
    plan, inputs = problem.inputs()
    out = cuda.forward(plan, inputs).out
    assert threads[-1].buffers == 1
    close(out, unfused.forward(plan, inputs).out.double(), 1e-5)


@needs_gxx
def test_the_first_of_equal_maxima(threads):
    plan, fields = Problem("euler", 1, (4, 4), 1, True, False, keep="max").inputs()
    y0, omega, kernel = torch.ones_like(fields.y0), torch.zeros_like(fields.omega), torch.zeros_like(fields.kernel)
    out, _, _, argmax, _ = cuda.forward(plan, fields._replace(y0=y0, omega=omega, kernel=kernel))
    assert (out == 1).all()
    assert argmax.dtype == torch.int32
    assert (argmax == 0).all()


@needs_gxx
def test_the_same_bits_again(threads):
    problem = Problem("verlet", 2, (9, 8), 3, False, True, keep="max", segment=3)
    plan, inputs = problem.inputs()
    runs = []
    for _ in range(3):
        out, end, *saved = cuda.forward(plan, inputs)
        given = Results(torch.ones_like(out), torch.empty(0), *saved)
        runs.append([out, end, *saved, *cuda.backward(plan, inputs, given)])
    for first, again in itertools.product(runs[:1], runs[1:]):
        assert all(a is b is None or torch.equal(a, b) for a, b in zip(first, again, strict=True))


@needs_gxx
def test_a_poor_reversal_is_told(threads):
    problem = Problem("euler", 2, (5, 5), 3, False, True, dt=0.25, steps=12, segment=6)
    problem.alpha = torch.full_like(problem.alpha, 3.96)  # decay 0.01: every step back multiplies errors by 100
    plan, inputs = problem.inputs()
    out, _, *saved = cuda.forward(plan, inputs)
    error = cuda.backward(plan, inputs, Results(torch.ones_like(out), torch.empty(0), *saved))[-1]
    assert (error > 1e-3).all()


@pytest.mark.parametrize("keep", ["series", "every", "project", "mix", "max"])
@pytest.mark.parametrize("segment", [0, 3])
def test_plain_operations_keep_the_same_contract(keep, segment):
    basis = {"project": torch.randn(3, 7), "mix": torch.randn(3, 7, 2)}.get(keep)
    choices = dict(every=3, keep="series") if keep == "every" else dict(keep=keep)
    for integrator, z0 in itertools.product(("euler", "verlet"), (False, True)):
        problem = Problem(
            integrator, 2, (5, 6), 3, True, z0, basis, dtype=torch.float64, segment=segment, stored=True, **choices
        )
        problem.check(unfused, tolerance=1e-12)


@pytest.mark.parametrize("keep", ["series", "project", "mix", "max"])
def test_plain_operations_go_on_where_others_stopped(keep):
    basis = {"project": torch.randn(3, 7), "mix": torch.randn(3, 7, 2)}.get(keep)
    for integrator in ("euler", "verlet"):
        problem = Problem(
            integrator,
            2,
            (5, 6),
            3,
            True,
            True,
            basis,
            dtype=torch.float64,
            segment=3,
            stored=True,
            keep=keep,
            begun=True,
        )
        problem.check(unfused, tolerance=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("depthwise", "k"), [(False, 3), (True, 5), (False, (5, 1))])
def test_plain_operations_of_any_size_and_boundary(boundary, depthwise, k):
    for size, tanh in itertools.product([*SIZES, (2, 9)], (False, True)):
        problem = Problem(
            "verlet", 2, size, k, depthwise, True, dtype=torch.float64, boundary=boundary, segment=3, stored=True,
            tanh=tanh,
        )  # fmt: skip
        problem.check(unfused, tolerance=1e-12)


def test_what_fits_on_chip(monkeypatch):
    monkeypatch.setattr(driver, "shared_limit", lambda device: H100)

    def fits(channels, side, segment=0, depthwise=False, dtype=torch.float32):
        plan, fields = Problem("euler", channels, (1, 1), 3, depthwise, False, segment=segment).inputs()
        return cuda.fits(plan, fields.y0.expand(-1, -1, side, side).to(dtype), fields.kernel)

    assert fits(2, 64, segment=10)
    assert fits(2, 128)
    assert not fits(2, 128, segment=10)  # the adjoint holds two planes a channel
    assert fits(16, 28, segment=10)
    assert fits(64, 128, segment=10, depthwise=True)
    assert not fits(1, 256)
    assert not fits(2, 64, dtype=torch.float64)


def layouts():
    """Layouts of the networks that drumhead ships, and odd ones."""
    for adjoint, (c, side, k, depthwise) in itertools.product(
        (False, True), [(2, 64, 3, False), (8, 32, 3, True), (16, 28, 3, False), (3, 9, 5, False), (2, 100, 7, True)]
    ):
        kernel = (c, 1 if depthwise else c, k, k)
        arranged = cuda._layout(adjoint, (1, c, side, side), kernel, True, "reflecting", H100)
        assert arranged is not None
        yield arranged[0]


@pytest.mark.skipif(NVCC is None, reason="no nvcc on this machine")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_the_source(architecture, tmp_path):
    for layout in list(layouts())[1::7]:
        flags = [f"-D{key}={value}" for key, value in cuda.macros(layout).items()]
        command = [NVCC, "-std=c++17", f"-arch={architecture}", "-cubin", "-Xptxas=-v", "-Werror=all-warnings"]
        command += ["-o", str(tmp_path / "waves.cubin"), *flags, "-x", "cu", "-"]
        done = subprocess.run(command, input=cuda.source(), text=True, capture_output=True)
        assert done.returncode == 0, done.stderr


def test_nvrtc_compiles_the_source(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    try:
        driver._nvrtc()
    except DrumheadError as error:
        pytest.skip(str(error))
    encoding = locale.getencoding()
    for layout, architecture in itertools.product(list(layouts())[1::7], ("sm_80", "sm_90")):
        cubin = driver.compile_cubin(cuda.source(), cuda.macros(layout), architecture)
        assert cubin.startswith(b"\x7fELF")
        assert driver.compile_cubin(cuda.source(), cuda.macros(layout), architecture) == cubin
    with pytest.raises(DrumheadError, match="identifier"):
        driver.compile_cubin("int f() { return nothing; }", {}, "sm_90")
    assert locale.getencoding() == encoding


FAKE_DRIVER = """
#include <string.h>
static void* current; static long asked;
extern "C" {
int cuDeviceGet(int* device, int ordinal) { *device = ordinal + 10; return 0; }
int cuDeviceGetAttribute(int* value, int what, int device) {
    *value = what == 97 && device == 12 ? 232448 : 0;
    return 0;
}
int cuCtxGetCurrent(void** context) { *context = current; return 0; }
int cuCtxSetCurrent(void* context) { current = context; return 0; }
int cuDevicePrimaryCtxRetain(void** context, int device) { *context = (void*)0x700000000012; return device != 12; }
int cuModuleLoadData(void** module, const char* image) {
    *module = (void*)0x700000000001;
    return current != (void*)0x700000000012 || strcmp(image, "cubin");
}
int cuModuleGetFunction(void** function, void* module, const char* name) {
    *function = (void*)0x700000000002;
    return module != (void*)0x700000000001 || strcmp(name, "drumhead_forward");
}
int cuFuncSetAttribute(void* function, int what, int value) {
    asked = value;
    return function != (void*)0x700000000002 || what != 8;
}
int cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned bytes, void* stream, void** arguments, void** extra) {
    const Task& task = *(const Task*)arguments[0];
    if (function != (void*)0x700000000002 || stream != (void*)0x700000000003 || extra || asked != bytes) return 1;
    if (gx * gy * gz != 2 || bx * by * bz != 512 || by != 1 || bytes <= 48 * 1024) return 2;
    return task.channels == 2 && task.height == 64 && task.dt == 0.25f && task.end == 7 && !task.z ? 0 : 3;
}
int cuGetErrorString(int code, const char** text) { *text = "the fake refuses"; return 0; }
}
"""


@needs_gxx
def test_what_the_driver_is_told(monkeypatch, tmp_path):
    plan, fields = Problem("euler", 2, (64, 64), 3, False, False).inputs()
    layout, _ = cuda._arrange("forward", plan, fields.y0, fields.kernel, H100)
    _build(layout, tmp_path / "fake.so", FAKE_DRIVER)
    fake, real = tmp_path / "fake.so", ctypes.CDLL

    device = SimpleNamespace(index=2)
    monkeypatch.setattr(driver.ctypes, "CDLL", lambda name, **how: real(str(fake) if name == "libcuda.so.1" else name))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: SimpleNamespace(cuda_stream=0x700000000003))
    driver._cuda.cache_clear()
    driver._context.cache_clear()
    try:
        assert driver.shared_limit.__wrapped__(device) == H100
        assert driver.architecture(device) == "sm_90"
        function = driver.load(b"cubin", "drumhead_forward", device)
        monkeypatch.setattr(cuda, "_function", lambda layout, device: function)
        monkeypatch.setattr(driver, "shared_limit", lambda device: H100)
        launch = driver.launch
        monkeypatch.setattr(driver, "launch", lambda *arguments: launch(*arguments[:-1], device))
        cuda.forward(plan, fields)
        one = fields._replace(y0=fields.y0[:1], omega=fields.omega[:1], decay=fields.decay[:1])
        with pytest.raises(DrumheadError, match=r"launching 1 blocks .* the fake refuses; pass backend='eager'"):
            cuda.forward(plan, one)
    finally:
        driver._cuda.cache_clear()
        driver._context.cache_clear()


def test_a_missing_compiler_is_told(monkeypatch):
    def missing(name, **_):
        raise OSError(name)

    monkeypatch.setattr(driver.ctypes, "CDLL", missing)
    with pytest.raises(DrumheadError, match="backend='eager'"):
        driver._nvrtc.__wrapped__()
    with pytest.raises(DrumheadError, match="CUDA driver"):
        driver._cuda.__wrapped__()


@needs_gpu
@pytest.mark.parametrize("boundary", ["periodic", "fixed", "reflecting"])
@pytest.mark.parametrize(("depthwise", "k"), [(False, 3), (True, 3), (False, 5), (True, (5, 1)), (False, 1)])
def test_gpu_waves_of_any_size_and_boundary(boundary, depthwise, k):
    for size, stored in itertools.product([*SIZES, (40, 33)], (False, True)):
        integrator = "euler" if size == (5, 7) else "verlet"
        problem = Problem(integrator, 2, size, k, depthwise, True, boundary=boundary, segment=3, stored=stored)
        problem.check(device="cuda")


@needs_gpu
@pytest.mark.parametrize("keep", ["every", "project", "mix", "max"])
@pytest.mark.parametrize("depthwise", [False, True])
@pytest.mark.parametrize("segment", [0, 7])
def test_gpu_waves_of_any_record(keep, depthwise, segment):
    basis = {"project": torch.randn(5, 40), "mix": torch.randn(5, 40, 8)}.get(keep)
    choices = dict(every=3, keep="series") if keep == "every" else dict(keep=keep)
    problem = Problem("verlet", 8, (32, 32), 3, depthwise, True, basis, steps=40, dt=0.1, segment=segment, **choices)
    problem.kernel /= 8
    problem.check(device="cuda", tolerance=1e-4)


@needs_gpu
@pytest.mark.parametrize(("channels", "side"), [(2, 64), (2, 96), (16, 28), (3, 65)])
def test_gpu_layouts_of_large_images(channels, side):
    problem = Problem("verlet", channels, (side, side), 3, False, False, b=3, segment=4, boundary="reflecting")
    problem.kernel /= channels
    plan, fields = problem.inputs("cuda")
    assert cuda.fits(plan, fields.y0, fields.kernel)
    problem.check(device="cuda")


@needs_gpu
def test_gpu_waves_too_large_for_the_chip():
    problem = Problem("verlet", 2, (200, 210), 3, False, True, b=1)
    plan, inputs = problem.inputs("cuda")
    assert not cuda.fits(plan, inputs.y0, inputs.kernel)
    problem.check(device="cuda")
    first = cuda.forward(plan, inputs).out
    doubled = cuda.forward(replace(plan, tanh=False), Fields(*(None if x is None else 2 * x for x in inputs))).out
    assert torch.equal(first, cuda.forward(plan, inputs).out)  # the graph again, after another
    assert not torch.equal(first, doubled)


@needs_gpu
def test_gpu_the_same_bits_again_on_another_stream():
    problem = Problem("verlet", 2, (64, 64), 3, False, True, b=5, segment=3)
    plan, inputs = problem.inputs("cuda")

    def run():
        out, end, *saved = cuda.forward(plan, inputs)
        given = Results(torch.ones_like(out), torch.ones_like(end), *saved)
        return [out, end, *saved, *cuda.backward(plan, inputs, given)]

    first = run()
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        again = run()
    torch.cuda.synchronize()
    assert all(a is b is None or torch.equal(a, b) for a, b in zip(first, again, strict=True))
