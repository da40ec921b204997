"""Finding and compiling the C engine. The compilers are fake: a real one takes half a minute."""

import ctypes
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import pytest
import torch

import drumhead as dh
from drumhead.engine.cpu import build, library
from drumhead.engine.gpu import driver
from test_cli import call

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake compilers are shell scripts")


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An installation without a library, an empty cache and an empty directory for temporary files."""
    for name in ("CC", "DRUMHEAD_CFLAGS", "DRUMHEAD_ISA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    shutil.copytree(build.SOURCES, tmp_path / "csrc")
    monkeypatch.setattr(build, "SOURCES", tmp_path / "csrc")
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "shipped.so")
    forget(monkeypatch)
    return tmp_path


def forget(monkeypatch):
    """What a new process would know."""
    monkeypatch.setattr(build, "_found", [])
    monkeypatch.setattr(build, "_warned", [])


def some_library() -> Path:
    """Any library that loads."""
    return next((Path(torch.__file__).parent / "lib").glob("libtorch_global_deps.*"))


def put(path, content):
    """Write to a new file: an old one may be loaded in this process."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


COPY = f'cp "{some_library()}" "$out"'


def compiler(folder, link=COPY, name="fake-cc", make="true"):
    """Write a compiler that notes what it was asked to do, does `make` first and `link` for a library."""
    path = folder / name
    path.write_text(f"""#!/bin/sh
echo "$@" >> "{folder}/asked"
out=; shared=
for argument; do
    [ "$last" = -o ] && out=$argument
    [ "$argument" = -shared ] && shared=yes
    last=$argument
done
{make}
if [ "$shared" ]; then {link}; else touch "$out"; fi
""")
    path.chmod(0o755)
    return str(path)


def asked(folder):
    return (folder / "asked").read_text().splitlines() if (folder / "asked").exists() else []


def test_it_is_compiled_once_and_then_taken_from_the_cache(fresh, monkeypatch, capsys):
    monkeypatch.setenv("CC", compiler(fresh))
    path, note = build.search()
    assert path is not None
    assert path.parent == fresh / "cache" / "drumhead" / "engine"
    assert path.read_bytes() == some_library().read_bytes()
    assert note == "compiled on this machine"
    assert capsys.readouterr().err == "drumhead: compiling the engine, once\n"
    calls = asked(fresh)
    assert len(calls) == len(build.variants()) + 2  # engine.c and the link
    forget(monkeypatch)
    assert build.search().path == path
    assert asked(fresh) == calls
    assert capsys.readouterr().err == ""
    assert not list((fresh / "temporary").glob("drumhead-*/*"))


def test_changed_sources_other_compilers_and_other_flags_are_compiled_again(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh))
    paths = [build.search().path]
    for change in (
        lambda: (build.SOURCES / "grid.h").write_text("/* changed */"),
        lambda: (build.SOURCES / "variants.txt").write_text("all -O0\nany float_base -DREAL=float\n"),
        lambda: monkeypatch.setenv("CC", compiler(fresh, name="other-cc")),
        lambda: monkeypatch.setenv("DRUMHEAD_CFLAGS", "-g '-DWHAT=a b'"),
    ):
        change()
        forget(monkeypatch)
        paths.append(build.search().path)
    assert None not in paths
    assert len(set(paths)) == 5
    assert "-g -DWHAT=a b" in asked(fresh)[-1]


def test_a_shipped_library_is_taken_if_it_was_made_of_these_sources(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh))
    whole = some_library().read_bytes()
    put(build.SHIPPED, whole + build.digest().encode())
    assert build.search() == (build.SHIPPED, "built into this installation")
    assert not asked(fresh)

    monkeypatch.setenv("DRUMHEAD_CFLAGS", "-g")
    forget(monkeypatch)
    assert build.search().path != build.SHIPPED
    monkeypatch.delenv("DRUMHEAD_CFLAGS")

    monkeypatch.setattr(build, "SHIPPED", fresh / "foreign.so")
    put(build.SHIPPED, b"for another machine" + build.digest().encode())
    forget(monkeypatch)
    assert build.search().path != build.SHIPPED

    put(build.SHIPPED, whole + build.digest().encode())
    (build.SOURCES / "grid.h").write_text("/* changed */")
    forget(monkeypatch)
    assert build.search().path != build.SHIPPED


@pytest.mark.parametrize("damage", ["truncated", "empty", "foreign"])
def test_a_damaged_library_in_the_cache_is_made_again(fresh, monkeypatch, damage):
    monkeypatch.setenv("CC", compiler(fresh))
    good = build.search().path
    assert good is not None
    whole = good.read_bytes()
    if damage == "foreign":  # whole, but for another machine
        good.unlink()
        good = good.with_name(f"{good.stem.rpartition('-')[0]}-{build._hash(b'foreign')}.so")
        put(good, b"foreign")
    else:
        put(good, whole[: len(whole) // 2] if damage == "truncated" else b"")
    count = len(asked(fresh))
    forget(monkeypatch)
    path = build.search().path
    assert path is not None
    assert path.read_bytes() == whole
    assert len(asked(fresh)) == 2 * count


@pytest.mark.parametrize("trouble", ["exit 1", "kill -SEGV $$", "exec sleep 60"], ids=["refuses", "crashes", "hangs"])
def test_an_instruction_set_that_the_compiler_lacks_is_left_out(fresh, monkeypatch, capsys, trouble):
    """As GCC before version 10 has no -mavx512bf16."""
    monkeypatch.setattr(build, "PATIENCE", 2.0)
    lacks = f'case "$*" in *-mavx512bf16*) echo unrecognized option >&2; {trouble};; esac'
    monkeypatch.setattr(build, "variants", lambda real=build.variants: real("x86_64"))
    monkeypatch.setenv("CC", compiler(fresh, make=lacks))
    assert build.search().path is not None
    (link,) = (call for call in asked(fresh) if "-shared" in call)
    made = {word.removesuffix(".o") for word in link.split() if word.endswith(".o")}
    assert made == {"engine", *build.variants()} - {"float_bf16"}
    said = capsys.readouterr().err
    assert said.count("\n") == 2
    assert "the engine goes without float_bf16" in said
    forget(monkeypatch)
    assert build.search().path is not None
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_a_library_without_an_instruction_set_does_not_take_it(tmp_path):
    """What was not made is not there, whatever the processor can."""
    path = tmp_path / "nothing.so"
    subprocess.run(["cc", "-shared", "-fPIC", '-DSOURCES=""', build.SOURCES / "engine.c", "-o", path], check=True)
    assert ctypes.CDLL(str(path)).drumhead_best_isa() == 0


@pytest.mark.parametrize("trouble", ["echo no luck >&2; exit 1", "exec sleep 60"], ids=["refuses", "hangs"])
def test_a_compilation_that_failed_is_remembered(fresh, monkeypatch, capsys, trouble):
    monkeypatch.setattr(build, "PATIENCE", 1.0)
    monkeypatch.setenv("CC", compiler(fresh, make=trouble))
    first = build.search()
    assert first.path is None
    count = len(asked(fresh))
    capsys.readouterr()
    forget(monkeypatch)
    path, note = build.search()
    assert path is None
    assert note.startswith(first.note)
    assert len(asked(fresh)) == count
    assert capsys.readouterr().err == ""
    (failed,) = (fresh / "cache" / "drumhead" / "engine").glob("*.failed")
    assert f"{failed}: delete it to try again" in note

    failed.unlink()
    forget(monkeypatch)
    assert build.search() == first
    assert len(asked(fresh)) > count
    compiler(fresh)  # now it works
    forget(monkeypatch)
    assert build.search().path is not None


def test_a_compiler_that_somebody_ended_is_not_remembered(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh, make="kill -TERM $$"))
    assert "ended by signal 15" in build.search().note
    assert not list((fresh / "cache" / "drumhead" / "engine").glob("*.failed"))
    compiler(fresh)
    forget(monkeypatch)
    assert build.search().path is not None


def test_nothing_is_compiled_where_nothing_can_be_kept(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh))
    monkeypatch.setattr(build, "_places", lambda: iter([fresh / "asked" / "no directory"]))
    (fresh / "asked").write_text("")
    path, note = build.search()
    assert path is None
    assert "set XDG_CACHE_HOME" in note
    assert not asked(fresh)


def test_two_processes_at_once_compile_once_and_agree(fresh):
    code = "from drumhead.engine.cpu import build; build.SHIPPED = build.SHIPPED / 'none'; print(build.search().path)"
    slow = compiler(fresh, f"sleep 1; {COPY}")
    environment = os.environ | {"CC": slow, "TMPDIR": str(fresh / "temporary"), "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert said[0] == said[1]
    assert Path(said[0].strip()).read_bytes() == some_library().read_bytes()
    assert sum("-shared" in line for line in asked(fresh)) == 1
    assert sorted(p.suffix for p in Path(said[0].strip()).parent.iterdir()) == ["", ".so"]  # and the lock


def test_threads_at_once_compile_once(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh))
    threads = [threading.Thread(target=build.search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("-shared" in line for line in asked(fresh)) == 1


def test_an_unwritable_cache_is_replaced_by_a_private_directory(fresh, monkeypatch, capsys):
    monkeypatch.setenv("CC", compiler(fresh))
    (fresh / "cache").write_text("a file where the directory should be")
    path = build.search().path
    assert path is not None
    assert path.parent == fresh / "temporary" / f"drumhead-{os.getuid()}"
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert "set XDG_CACHE_HOME" in capsys.readouterr().err
    forget(monkeypatch)
    assert build.search().path == path
    assert capsys.readouterr().err == ""


def test_nothing_is_loaded_from_a_directory_that_others_can_write(fresh, monkeypatch):
    monkeypatch.setenv("CC", compiler(fresh))
    (fresh / "cache").write_text("a file where the directory should be")
    private = fresh / "temporary" / f"drumhead-{os.getuid()}"
    private.mkdir()
    private.chmod(0o777)
    path, note = build.search()
    assert path is None
    assert "cannot be kept" in note


def no_compiler(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder / "nothing"))


def nonsense(folder, monkeypatch):
    monkeypatch.setenv("CC", "no-such-compiler -O2")


def failing(folder, monkeypatch):
    monkeypatch.setenv("CC", compiler(folder, "echo ld: out of luck >&2; exit 3"))


def empty_handed(folder, monkeypatch):
    monkeypatch.setenv("CC", compiler(folder, "true"))


def garbage(folder, monkeypatch):
    monkeypatch.setenv("CC", compiler(folder, 'echo garbage > "$out"'))


def unbalanced(folder, monkeypatch):
    monkeypatch.setenv("CC", "'gcc")


FAILURES = {
    no_compiler: r"no C compiler was found \(cc, gcc, clang\)",
    nonsense: "CC='no-such-compiler -O2': there is no such program",
    failing: "failed with exit code 3 and said: ld: out of luck",
    empty_handed: "No such file",
    garbage: "it was compiled, but cannot be kept or loaded",
    unbalanced: "CC=.*No closing quotation",
}


@pytest.mark.parametrize("failure", FAILURES)
def test_without_a_library_there_is_one_notice_that_says_what_to_do(failure, fresh, monkeypatch, capsys):
    failure(fresh, monkeypatch)
    with pytest.warns(RuntimeWarning, match=FAILURES[failure]) as caught:
        assert build.find() is None
    assert "install gcc or clang, or set CC" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build.find() is None
    monkeypatch.setattr(library, "load", build.find)
    assert re.search(FAILURES[failure], dh.engine.available()["native"])
    y0 = torch.ones(1, 1, 4, 4)
    with pytest.raises(dh.DrumheadError, match=FAILURES[failure]):
        dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), steps=3, dt=0.1, record=dh.Last(), backend="native")
    assert dh.propagate(y0, 0.0, 0.0, dh.laplacian(1), steps=3, dt=0.1, record=dh.Last()).isfinite().all()
    capsys.readouterr()
    assert call("doctor") == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "backend native" in line)
    assert re.search(FAILURES[failure], line)
    assert "install gcc or clang" in line


def test_a_process_without_a_compiler_says_so_once_and_goes_on(tmp_path):
    code = (
        "import torch, drumhead as dh\n"
        "for i in range(3):\n"
        "    y = dh.propagate(torch.ones(1, 1, 4, 4), 0., 0., dh.laplacian(1), steps=3, dt=0.1, record=dh.Last())\n"
        "    assert y.isfinite().all()\n"
    )
    environment = os.environ | {"CC": "nonsense", "XDG_CACHE_HOME": str(tmp_path), "DRUMHEAD_CFLAGS": "-g"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("the fast engine is missing") == 1
    assert "CC='nonsense'" in done.stderr


def test_doctor_names_the_library_and_refuses_unknown_instruction_sets(capsys, monkeypatch):
    if library.load() is None:
        pytest.skip("no C compiler")
    assert call("doctor") == 0
    assert f"{library.isa()}, {build.find()} (" in capsys.readouterr().out
    monkeypatch.setenv("DRUMHEAD_ISA", "abacus")
    library.isa_index.cache_clear()
    assert call("doctor") == 1
    assert "DRUMHEAD_ISA='abacus'" in capsys.readouterr().out
    library.isa_index.cache_clear()


def test_doctor_names_what_compiles_for_a_gpu(capsys, monkeypatch):
    monkeypatch.setattr(dh.engine, "available", lambda: {"cuda": "yes"})
    monkeypatch.setattr(driver, "compiler", lambda: "NVRTC 13.1")
    assert call("doctor") == 0
    assert "compiled at first use by NVRTC 13.1" in capsys.readouterr().out

    def missing():
        raise dh.DrumheadError("libnvrtc.so.13 was not found")

    monkeypatch.setattr(driver, "compiler", missing)
    assert call("doctor") == 0
    assert "libnvrtc.so.13 was not found" in capsys.readouterr().out


def test_each_machine_has_the_variants_that_engine_c_declares():
    declared = set(re.findall(r"^DECLARE\((\w+)\)", (build.SOURCES / "engine.c").read_text(), re.MULTILINE))
    assert set(build.variants("x86_64")) == set(build.variants("AMD64")) == declared
    assert set(build.variants("aarch64")) == set(build.variants("arm64")) == {"float_base", "double_base"}


@pytest.mark.skipif(not all(map(shutil.which, ("cmake", "make", "cc"))), reason="no CMake, make or C compiler")
@pytest.mark.parametrize("lacks", ["", "-mavx512bf16"])
def test_cmake_compiles_as_build_does(tmp_path, lacks):
    """Flags, definitions and the hash of the sources; only the order of flags and files is left to CMake."""
    old = tmp_path / "old-cc"
    old.write_text(f'#!/bin/sh\nfor a; do [ "$a" = "{lacks}" ] && exit 1; done\nexec cc "$@"\n')
    old.chmod(0o755)
    environment = os.environ | {"CC": str(old), "CFLAGS": ""}
    subprocess.run(
        ["cmake", "-S", ROOT, "-B", tmp_path, "-G", "Unix Makefiles", "-DCMAKE_BUILD_TYPE=Release",
         "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    found = {}
    for entry in json.loads((tmp_path / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        flags = {word for word in words[1:] if word.startswith("-") and word not in ("-c", "-o")}
        name = next((word.removeprefix("-DNAME=") for word in flags if word.startswith("-DNAME=")), "engine")
        found[name] = flags - {"-Ddrumhead_waves_EXPORTS"}
    common = set(build.common())
    expected = {name: common | set(flags) for name, flags in build.variants().items() if lacks not in flags}
    assert found == expected | {"engine": common | {f'-DSOURCES="{build.digest()}"'}}
