"""Files that others read: whole or not at all, links left alone, nothing left behind."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vbotd.store import files
from vbotd.store.files import UnreadableFile, read_json, sha256_of, write_atomic, write_json_atomic

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(value=st.dictionaries(st.text(max_size=8), JSON, max_size=5), durable=st.booleans())
@settings(max_examples=60, deadline=None)
def test_json_comes_back_as_it_was_written(value, durable):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "result.json"
        write_json_atomic(path, value, durable=durable)
        assert read_json(path) == value
        assert list(read_json(path)) == list(value)
        assert path.read_bytes().endswith(b"}\n")
        assert os.listdir(folder) == ["result.json"]


@given(old=st.binary(max_size=100), new=st.binary(max_size=100_000))
@settings(max_examples=30, deadline=None)
def test_new_bytes_take_the_place_of_the_old(old, new):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        write_atomic(path, old)
        write_atomic(path, new, mode=0o600)
        assert path.read_bytes() == new
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_short_writes_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(files.os, "write", lambda fd, data: write(fd, bytes(data[:7])))
    write_atomic(tmp_path / "x", bytes(range(256)))
    assert (tmp_path / "x").read_bytes() == bytes(range(256))


def test_a_failed_fsync_is_not_repeated_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_atomic(path, "old")
    calls = []

    def fail(fd):
        calls.append(fd)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomic(path, "new")
    assert len(calls) == 1
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_file_and_folder_are_flushed_in_this_order_and_not_at_all_for_a_heartbeat(tmp_path, monkeypatch):
    flushed = []
    monkeypatch.setattr(files.os, "fsync", lambda fd: flushed.append(stat.S_ISDIR(os.fstat(fd).st_mode)))
    write_atomic(tmp_path / "x", "1")
    assert flushed == [False, True]
    write_atomic(tmp_path / "x", "2", durable=False)
    assert flushed == [False, True]


def test_full_disk_leaves_the_old_file_and_no_temporary(tmp_path):
    # RLIMIT_FSIZE makes the kernel refuse the bytes beyond 1,000, as a full disk does, after a short write.
    path = tmp_path / "x"
    write_atomic(path, "old")
    code = (
        "import signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from vbotd.store.files import write_atomic\n"
        "try:\n    write_atomic(sys.argv[1], b'n' * 5000)\n"
        "except OSError as err:\n    sys.exit(40 + (err.errno == 27))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], cwd=Path(files.__file__).parents[2], timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    assert done.returncode == 41
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_link_is_replaced_and_its_target_stays(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomic(link, "new")
    assert target.read_text() == "precious"
    assert not link.is_symlink()
    assert link.read_text() == "new"


def test_a_folder_in_the_way_is_an_error_without_leftovers(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "x", "new")
    assert os.listdir(tmp_path) == ["x"]
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "nowhere" / "x", "new")


def test_a_name_of_full_length_can_be_written(tmp_path):
    write_atomic(tmp_path / ("n" * 255), "x")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_no_descriptor_is_leaked(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    write_atomic(tmp_path / "x", "1")
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "d", "1")
    read_json(tmp_path / "none")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "heartbeat.json"
    write_json_atomic(path, {"n": 0, "filling": "0" * 20_000})
    stop = threading.Event()
    wrong: list[object] = []

    def read() -> None:
        while not stop.is_set():
            try:
                value = read_json(path)
                if value is None or set(value["filling"]) != {str(value["n"] % 10)}:
                    wrong.append(value)
            except UnreadableFile as err:
                wrong.append(err)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(300):
            write_json_atomic(path, {"n": n, "filling": str(n % 10) * 20_000}, durable=False)
    finally:
        stop.set()
        reader.join()
    assert wrong == []


def test_numbers_that_json_does_not_have_are_refused_before_writing(tmp_path):
    with pytest.raises(ValueError):
        write_json_atomic(tmp_path / "x", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("content", "why"), [
    (b"", "not JSON"),
    (b'{"a": 1', "not JSON"),
    (b"\xff\xfe\xfa", "not JSON"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a": 1e999}', "too large"),
    (b"[1]", "list"),
    (b"null", "NoneType"),
    (b"[" * 200_000, "not JSON"),
    (b'{"a": ' + b"1" * 10_000 + b"}", "not JSON"),
    (b" " * (1 << 20) + b"{}", "larger"),
])
def test_what_cannot_be_used_is_named(tmp_path, content, why):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=why) as caught:
        read_json(path)
    assert caught.value.path == path


def test_only_a_regular_file_is_read(tmp_path):
    (tmp_path / "real").write_text("{}")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(UnreadableFile):
            read_json(tmp_path / name)
    assert read_json(tmp_path / "missing") is None
    assert read_json(tmp_path / "real") == {}


def test_sha256_is_that_of_the_content(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_json_is_readable_by_people(tmp_path):
    write_json_atomic(tmp_path / "x", {"b": 1, "a": {"c": 2}})
    assert (tmp_path / "x").read_text() == json.dumps({"b": 1, "a": {"c": 2}}, indent=1) + "\n"
