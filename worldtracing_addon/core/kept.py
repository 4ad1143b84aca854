"""Results of slow work, kept by what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any
from weakref import WeakSet

from ...backend.worldtracing.errors import Cancelled

_all: WeakSet[Kept] = WeakSet()
_over: WeakSet[Any] = WeakSet()  # what was forgotten, as long as a thread still has it


class Kept:
    """A few results by key. Each is made once, whichever threads ask for it at the same time; errors are not kept.

    A key must hold all that the result depends on, so that nothing stale is ever used. See `forget` for what comes
    first in one.
    """

    def __init__(self, most: int) -> None:
        """most: results that are kept; the one that was not asked for longest goes first."""
        self._most = most
        self._lock = Lock()
        self._results: dict[Hashable, Future] = {}
        _all.add(self)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The result of `make()`, from this or an earlier call; waits where another thread is making it.

        Raises:
            whatever `make` does, in every thread that waits for it. But `Cancelled` was meant for one of them: those
            that have only waited make the result then.
        """
        while True:
            result, is_new = self._begin(key)
            if is_new:
                self._make(key, result, make)
            try:
                return result.result()
            except Cancelled:
                if is_new:
                    raise

    def _begin(self, key: Hashable) -> tuple[Future, bool]:
        """What will be the result, and whether the caller has to make it."""
        with self._lock:
            result = self._results.pop(key, None)
            is_new = result is None
            result = self._results[key] = Future() if is_new else result  # the latest stands last
            while len(self._results) > self._most:
                del self._results[next(iter(self._results))]
        return result, is_new

    def _make(self, key: Hashable, result: Future, make: Callable[[], Any]) -> None:
        try:
            result.set_result(make())
        except BaseException as error:
            with self._lock:
                if self._results.get(key) is result:
                    del self._results[key]
            result.set_exception(error)

    def __contains__(self, key: Hashable) -> bool:
        """Whether `get` would answer at once."""
        with self._lock:
            result = self._results.get(key)
        return result is not None and result.done()

    def drop(self, is_old: Callable[[Hashable], bool]) -> None:
        """Keep those results no more whose keys are old; who is waiting for one still gets it."""
        with self._lock:
            for key in [key for key in self._results if is_old(key)]:
                del self._results[key]


def forget(subject: object) -> None:
    """Free all results that are about something which nobody will ask about again: it comes first in their keys."""
    _over.add(subject)
    sweep()


def sweep() -> None:
    """Free what a thread, which ends now, may have found out about something that was forgotten meanwhile."""
    for kept in list(_all):
        kept.drop(lambda key: isinstance(key, tuple) and key[0] in _over)


def forget_all() -> None:
    """Free all results."""
    for kept in list(_all):
        kept.drop(lambda _key: True)
