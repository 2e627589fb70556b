"""Worker processes: who is to blame when one ends, through each driver that has one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from topgenre.errors import TagError, TopgenreError
from topgenre.result import Failure
from topgenre.workers.asyncio_pool import AsyncPool
from topgenre.workers.processes import in_processes
from topgenre.workers.single import Single
from topgenre.workers.worker import Do, JobError, Spec, Worker
from worker_jobs import STEPS, cannot_start, ends_at_start, setup, stop_all, work

pytestmark = pytest.mark.usefixtures("no_children")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
MEMORY = 1 << 28


Run = Callable[..., Any]


def in_worker(spec: Spec, job: object, seconds: float, **more: Any) -> Any:
    worker = Worker(spec)
    try:
        return worker.run(job, seconds, **more)
    finally:
        worker.stop()


def in_single(spec: Spec, job: object, seconds: float, **more: Any) -> Any:
    single = Single(spec)
    try:
        return single.run(job, seconds, **more)
    finally:
        stop_all()


def in_asyncio(spec: Spec, job: object, seconds: float, **more: Any) -> Any:
    async def run() -> Any:
        pool = AsyncPool(spec, 1, seconds)
        await pool.open()
        try:
            return await pool.run(job, **more)
        finally:
            await pool.close()

    return asyncio.run(run())


drivers = pytest.mark.parametrize("run", [in_worker, in_single, in_asyncio])


@drivers
def test_gives_the_outcome(run: Run) -> None:
    assert run(Spec(setup, MEMORY), ["any", {"thing": 1}], 30.0) == ["any", {"thing": 1}]


@drivers
@pytest.mark.parametrize(
    ("job", "why", "how"),
    [
        ("sleep", "overrun", ""),
        ("exit", "crashed", "exit status 3"),
        pytest.param("segfault", "crashed", "signal 11", marks=posix),
        ("fault", "fault", "ZeroDivisionError"),
        pytest.param(
            "memory",
            "memory",
            "",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory"),
        ),
    ],
)
def test_says_why_there_is_no_outcome(run: Run, job: str, why: str, how: str) -> None:
    with pytest.raises(JobError) as caught:
        run(Spec(setup, MEMORY), job, 1.5 if job == "sleep" else 30.0)
    assert caught.value.why == why
    assert how in caught.value.how


@drivers
def test_passes_on_what_a_job_raises_on_purpose(run: Run) -> None:
    with pytest.raises(TagError, match=r"^song\.mp3: refused$"):
        run(Spec(setup, MEMORY), "refuse", 30.0)


@drivers
@pytest.mark.parametrize(("start", "said"), [(cannot_start, "no model"), (ends_at_start, "")])
def test_a_process_that_cannot_start_is_not_the_fault_of_the_job(
    run: Run, start: Callable[[], Do], said: str
) -> None:
    with pytest.raises((TopgenreError, JobError)) as caught:
        run(Spec(start, MEMORY), "pid", 30.0)
    assert said in str(caught.value)
    assert getattr(caught.value, "why", "died") == "died"


@pytest.mark.parametrize("run", [in_worker, in_asyncio])
def test_reports_progress(run: Run) -> None:
    told: list[float] = []
    assert run(Spec(setup, MEMORY), "progress", 30.0, progress=told.append) == "progress"
    assert 1 <= len(told) < STEPS
    assert told == sorted(told)
    assert all(0 <= fraction < 1 for fraction in told)


@pytest.mark.parametrize("run", [in_worker, in_single])
def test_asks_and_is_answered(run: Run) -> None:
    assert run(Spec(setup, MEMORY), "ask", 30.0, answer=lambda said: f"{said}: yes") == (
        "whether: yes"
    )


def test_a_question_that_raises_ends_the_process() -> None:
    """The next job must not get the answer of this one."""

    def interrupted(_: object) -> object:
        raise KeyboardInterrupt

    single = Single(Spec(setup, MEMORY, idle=30.0))
    before = single.run("pid", 30.0)
    with pytest.raises(KeyboardInterrupt):
        single.run("ask", 30.0, answer=interrupted)
    assert single.run("pid", 30.0) != before
    stop_all()


@pytest.mark.parametrize("kind", ["sleep", "exit", "fault", "refuse", "memory"])
def test_one_helper_outlives_whatever_a_job_does(kind: str) -> None:
    single = Single(Spec(setup, MEMORY, idle=30.0))
    before = single.run("pid", 30.0)
    with pytest.raises((JobError, TagError)):
        single.run(kind, 1.0 if kind == "sleep" else 30.0)
    after = single.run("pid", 30.0)
    assert (after == before) == (kind in ("fault", "refuse", "memory"))
    stop_all()


def test_one_helper_that_ended_or_was_killed_is_replaced() -> None:
    single = Single(Spec(setup, MEMORY, idle=0.1))
    first = single.run("pid", 30.0)
    for process in multiprocessing.active_children():
        process.join()  # ends for want of work
    second = single.run("pid", 30.0)
    stop_all()
    assert len({first, second, single.run("pid", 30.0)}) == 3
    stop_all()


def test_one_helper_serves_threads_in_turn() -> None:
    single = Single(Spec(setup, MEMORY, idle=30.0))
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda n=n: found.append((n, single.run(n, 30.0))))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [(n, n) for n in range(8)]  # type: ignore[type-var]
    stop_all()


@posix
def test_files_without_a_name_reach_the_worker_and_are_closed_there() -> None:
    async def run() -> None:
        pool = AsyncPool(Spec(setup, MEMORY), 1, 30.0)
        await pool.open()
        with tempfile.TemporaryFile() as file:
            file.write(b"sound")
            file.flush()
            assert await pool.run("read", file=file.fileno()) == b"sound"
            if sys.platform == "linux":
                before = await pool.run("files")
                for _ in range(5):
                    await pool.run("read", file=file.fileno())
                assert await pool.run("files") == before
        await pool.close()

    asyncio.run(run())


def test_an_idle_worker_that_is_killed_costs_no_job_and_is_replaced() -> None:
    lost: list[str] = []

    async def run() -> None:
        pool = AsyncPool(Spec(setup, MEMORY), 1, 30.0, lost.append)
        await pool.open()
        first = await pool.run("pid")
        for _ in range(3):
            stop_all()
            assert await pool.run("pid") != first
        await pool.close()
        assert not pool.ready

    asyncio.run(run())
    assert lost == ["died"] * 3


def test_a_caller_that_gives_up_keeps_no_worker(tmp_path: Path) -> None:
    async def run() -> None:
        pool = AsyncPool(Spec(setup, MEMORY), 1, 30.0)
        await pool.open()
        working = asyncio.create_task(pool.run(["wait", str(tmp_path / "end")]))
        waiting = asyncio.create_task(pool.run("sleep"))
        await asyncio.sleep(0.05)
        waiting.cancel()
        working.cancel()
        (tmp_path / "end").touch()
        await asyncio.wait({working, waiting})
        assert await pool.run("pid")
        await pool.close()

    asyncio.run(run())


# ------------------------------------------------------------------------------ many files


def test_many_files_each_outcome_and_each_blame() -> None:
    paths = ["a", "exit", "fault", "b", "sleep", "refuse", "c"]
    outcomes = dict(in_processes(work, paths, jobs=2, time_limit=5.0))
    assert outcomes.keys() == set(paths)
    failures = {p: o.error.code for p, o in outcomes.items() if isinstance(o, Failure)}
    assert failures == {"exit": "crashed", "fault": "internal", "sleep": "overrun", "refuse": "tag"}
    assert [outcomes[path] for path in "abc"] == ["A", "B", "C"]


def test_many_files_report_their_progress() -> None:
    told: list[tuple[str, float]] = []
    outcomes = in_processes(
        work, ["a", "b"], jobs=1, progress=lambda path, fraction: told.append((path, fraction))
    )
    assert dict(outcomes) == {"a": "A", "b": "B"}
    assert ("a", 0.5) in told
