"""Results of slow work, kept by what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any


class Kept:
    """A few results by key. Each is made once, whichever threads ask for it at the same time; errors are not kept.

    A key must hold all that the result depends on, so that nothing stale is ever used.
    """

    def __init__(self, most: int) -> None:
        """most: results that are kept; the one that was not asked for longest goes first."""
        self._most = most
        self._lock = Lock()
        self._results: dict[Hashable, Future] = {}

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result of `make()`, from this or an earlier call; waits where another thread is making it.

        Raises:
            whatever `make` does, in every thread that waits for it.
        """
        with self._lock:
            result = self._results.pop(key, None)
            is_new = result is None
            result = self._results[key] = Future() if is_new else result  # the latest stands last
            while len(self._results) > self._most:
                del self._results[next(iter(self._results))]
        if is_new:
            try:
                result.set_result(make())
            except BaseException as error:
                with self._lock:
                    if self._results.get(key) is result:
                        del self._results[key]
                result.set_exception(error)
        return result.result()

    def __contains__(self, key: Hashable) -> bool:
        """Whether `get` would answer at once."""
        with self._lock:
            result = self._results.get(key)
        return result is not None and result.done()
