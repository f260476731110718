"""A patch has the same bits in a worker, which has one thread, and in a job that has several."""

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from fpho.passes import running


def test_a_patch_is_done_with_one_thread_of_linear_algebra(monkeypatch):
    seen = []

    def fitted(task, function):
        seen.extend(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "_fitted", fitted)
    with threadpool_limits(limits=2, user_api="blas"), pytest.raises(KeyboardInterrupt):
        running.run_task(None, None)
    assert seen and set(seen) == {1}
