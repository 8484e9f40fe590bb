"""Chunks of a long list: in order, in several processes, and none twice."""

import numpy as np
import pytest

from ssrlib import jobs


def square(items):
    return {"squares": np.square(items)}


def squares(files):
    return np.concatenate([np.load(file)["squares"] for file in files])


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_results_come_in_the_order_of_the_items(tmp_path, monkeypatch, workers, count):
    monkeypatch.setattr(jobs, "CHUNK", 7)
    files = jobs.map_chunks(square, list(range(count)), tmp_path, workers)
    assert len(files) == -(-count // 7)
    if count:
        np.testing.assert_array_equal(squares(files), np.arange(count) ** 2)


def test_finished_chunks_are_not_worked_on_again(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "CHUNK", 2)
    seen = []

    def stop_at_five(items):
        if 5 in items:
            raise KeyboardInterrupt
        seen.extend(items)
        return square(items)

    with pytest.raises(KeyboardInterrupt):
        jobs.map_chunks(stop_at_five, list(range(9)), tmp_path, workers=1)
    assert seen == [0, 1, 2, 3]

    def go_on(items):
        seen.extend(items)
        return square(items)

    files = jobs.map_chunks(go_on, list(range(9)), tmp_path, workers=1)
    assert seen == list(range(9))
    np.testing.assert_array_equal(squares(files), np.arange(9) ** 2)
    assert len(list(tmp_path.iterdir())) == 5


def test_no_workers_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        jobs.map_chunks(square, [1], tmp_path / "new", workers=0)
    assert not (tmp_path / "new").exists()


def die(items):
    import os

    os.kill(os.getpid(), 9)


def test_a_killed_worker_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "CHUNK", 1)
    with pytest.raises(ChildProcessError, match="A worker process was killed"):
        jobs.map_chunks(die, [1, 2], tmp_path, workers=2)
