"""Several listings at once: an interrupt waits for none of them, and the error of one is not the end of the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from itnio_nb.errors import ItnioError

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def thread_pool(size: int) -> Iterator[Executor]:
    """Provide threads; who leaves waits for nothing that is still under way."""
    pool = ThreadPoolExecutor(size, "listing")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def for_each(
    items: Collection[T],
    act: Callable[[T], R],
    stopping: Event,
    at_once: int,
    tell: Callable[[T, R | ItnioError], object] = lambda *_: None,
) -> dict[T, R | ItnioError]:
    """Return for each item what `act` returns, or the package's error that it raises; `at_once` are done together.

    An interrupt sets `stopping`, which `act` heeds. `tell` is called in the caller's thread, once for each
    item as soon as it is done.
    """

    def result_or_error(item: T) -> R | ItnioError:
        try:
            return act(item)
        except ItnioError as error:
            return error

    with thread_pool(at_once) as pool:
        try:
            futures = {pool.submit(result_or_error, item): item for item in items}
            for future in as_completed(futures):
                tell(futures[future], future.result())
            return {item: future.result() for future, item in futures.items()}
        except BaseException:
            stopping.set()
            raise
