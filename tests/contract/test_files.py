import multiprocessing
import os
import signal
import stat

import pytest

from contract import files


def test_what_is_written_takes_the_place_of_what_was_there_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "folder" / "file"
    files.write(path, "first")
    files.write(path, b"second", durable=True)

    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    files.write(path, "first")

    with pytest.raises(UnicodeEncodeError):
        files.write(path, "\ud800")

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_private_whatever_the_process_gives_to_new_files(tmp_path):
    before = os.umask(0)
    try:
        files.write(tmp_path / "secret", "s3cret", mode=0o600)
        files.write(tmp_path / "open", "text")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o666


def test_what_is_written_once_stays(tmp_path):
    path = tmp_path / "key"
    files.write_once(path, "first", mode=0o600)

    with pytest.raises(FileExistsError):
        files.write_once(path, "second")

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def _write_for_ever(path):
    while True:
        files.write(path, "x" * 100_000)


def test_a_reader_sees_all_of_a_file_whenever_its_writer_is_killed(tmp_path):
    path = tmp_path / "file"
    files.write(path, "x" * 100_000)
    fork = multiprocessing.get_context("fork")
    for _ in range(20):
        writer = fork.Process(target=_write_for_ever, args=(path,))
        writer.start()
        assert len(path.read_text()) == 100_000
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert len(path.read_text()) == 100_000


def _claim(path, number, barrier):
    barrier.wait()
    try:
        files.write_once(path, str(number))
    except FileExistsError:
        return
    (path.parent / f"winner-{number}").touch()


def test_of_several_that_write_once_at_the_same_time_one_succeeds(tmp_path):
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(8)
    writers = [fork.Process(target=_claim, args=(tmp_path / "key", n, barrier)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    (winner,) = tmp_path.glob("winner-*")
    assert (tmp_path / "key").read_text() == winner.name.removeprefix("winner-")
