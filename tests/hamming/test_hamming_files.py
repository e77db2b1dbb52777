"""Results are written whole or not at all, never twice, and never over what is read."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hamming.files import check_writable, staged


def everything(folder: Path) -> dict[str, bytes | None]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_staged_files_appear_together_at_the_end(tmp_path):
    targets = tmp_path / "new" / "folder" / "a", tmp_path / "b"
    targets[1].write_text("old")
    with staged(*targets) as temporary:
        for path in temporary:
            path.write_text("new")
        assert not targets[0].exists()
        assert targets[1].read_text() == "old"
    assert everything(tmp_path) == {"new": None, "new/folder": None, "new/folder/a": b"new", "b": b"new"}


def test_staged_files_have_the_mode_of_any_new_file(tmp_path):
    with staged(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_failure_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "b").write_text("old")
    before = everything(tmp_path)

    def write_half() -> None:
        with staged(tmp_path / "new" / "a", tmp_path / "b") as temporary:
            temporary[0].write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert everything(tmp_path) == before


@pytest.mark.parametrize(
    ("target", "reason"),
    [("file/a", "Not a directory"), ("folder", "not a regular file"), ("pipe", "not a regular file")],
)
def test_target_that_cannot_be_written_is_found_at_once(tmp_path, target, reason):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "pipe").symlink_to("/dev/null")
    path = tmp_path / target
    before = sorted(tmp_path.iterdir())
    message = re.escape(f"cannot write {str(path)!r}: {reason}") + r"\Z"
    with pytest.raises(ValueError, match=message), staged(tmp_path / "first", path):
        raise AssertionError("the work began")
    with pytest.raises(ValueError, match=message):
        check_writable(path)
    assert sorted(tmp_path.iterdir()) == before


def test_check_writable_leaves_nothing(tmp_path):
    check_writable(tmp_path / "new" / "a")
    assert everything(tmp_path) == {}


@pytest.mark.parametrize("other", ["a", "folder/../a", "soft", "hard"])
def test_one_file_is_no_two_outputs_and_no_input(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("a").write_text("read")
    Path("soft").symlink_to("a")
    Path("hard").hardlink_to("a")
    before = everything(tmp_path)
    by = "" if other == "a" else f", by the name of {other!r}"
    text = re.escape(f"cannot write 'a': it is the input{by}") + r"\Z"
    with pytest.raises(ValueError, match=text), staged(Path("a"), inputs=[Path(other)]):
        raise AssertionError("the work began")
    text = re.escape(f"cannot write 'a' twice: two outputs are one file{by}") + r"\Z"
    with pytest.raises(ValueError, match=text), staged(Path(other), Path("a")):
        raise AssertionError("the work began")
    assert everything(tmp_path) == before


def test_two_outputs_that_are_not_there_yet_are_compared_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="two outputs are one file"), staged(Path("new/a"), tmp_path / "new" / "a"):
        raise AssertionError("the work began")
    with staged(Path("new/a"), Path("new/b"), inputs=[Path("new/none")]):
        pass
    assert everything(tmp_path) == {"new": None, "new/a": b"", "new/b": b""}


def test_link_to_a_file_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    with staged(tmp_path / "link") as (path,):
        path.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_links_in_a_circle_are_one_line(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(ValueError, match=r"^cannot write '.*/a': .*\Z"), staged(tmp_path / "a"):
        raise AssertionError("the work began")


def test_longest_name_is_written(tmp_path):
    with staged(tmp_path / ("n" * 255)):
        pass
    assert everything(tmp_path) == {"n" * 255: b""}
    with pytest.raises(ValueError, match="File name too long"), staged(tmp_path / ("n" * 256)):
        pass


def test_what_killed_processes_left_is_tidied_up(tmp_path):
    gone = 2**30  # beyond the largest process number
    names = {
        "old, gone": f".hamming-{gone}-0.tmp",
        "old, alive": f".hamming-{os.getpid()}-999.tmp",
        "new, gone": f".hamming-{gone}-1.tmp",
        "another's": f".hammer-{gone}-0.tmp",
    }
    for kind, name in names.items():
        (tmp_path / name).touch()
        if not kind.startswith("new"):
            os.utime(tmp_path / name, (0, 0))
    check_writable(tmp_path / "a")
    assert sorted(everything(tmp_path)) == sorted(set(names.values()) - {names["old, gone"]})
