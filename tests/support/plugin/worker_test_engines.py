"""Engines of a third party, as pip would install them: the worker finds them through their entry points."""

import os
import sys
import time
from pathlib import Path

import numpy as np

from worldtracing.engines.base import EngineInfo
from worldtracing.world import LayeredWorld


class Base:
    info = EngineInfo("fake", "Fake", "For tests.")

    def trace(self, image, mask, camera, options, on_progress):
        self.work(options.extra, on_progress)
        points = np.ones((1, *image.shape[:2], 3), np.float32)
        return LayeredWorld(points, np.ones(points.shape[:3], bool), image, camera.K, "relative")

    def free_memory(self):
        print("memory freed")


class Steps(Base):
    """`steps` steps of `seconds` each; writes one line for each step into the file `journal`.

    Reports each step twice, as an engine may that only wants to know whether to go on.
    """

    def work(self, extra, on_progress):
        for k in range(extra["steps"]):
            on_progress("Working", k, extra["steps"])
            on_progress("Working", k, extra["steps"])
            if "journal" in extra:
                with Path(extra["journal"]).open("a") as journal:
                    journal.write(f"{k}\n")
            time.sleep(extra.get("seconds", 0))


class Chatty(Base):
    def work(self, extra, on_progress):
        print("printed by the engine")
        os.write(1, b"written to descriptor 1\n")
        os.system("echo printed by a child process")
        os.system("cat")  # would swallow the requests
        sys.__stdout__.write("written to the original stdout\n")
        sys.__stdout__.flush()


class Raises(Base):
    def work(self, extra, on_progress):
        class UnprintableError(Exception):
            def __str__(self):
                raise RuntimeError("no text")

        raise {
            "memory": MemoryError(),
            "value": ValueError("first line\nlast line"),
            "exit": SystemExit(3),
            "unprintable": UnprintableError(),
            "base": BaseException("base"),
        }[extra["kind"]]


class BadProgress(Base):
    def work(self, extra, on_progress):
        on_progress(object(), "k", float("nan"))


class Dies(Base):
    def work(self, extra, on_progress):
        on_progress("Dying", 0, 1)
        print("last words")
        sys.stdout.flush()
        if extra.get("signal"):
            os.kill(os.getpid(), extra["signal"])
        os._exit(7)


class HalfWritten(Base):
    """Returns a world that never finishes saving: its temporary file is there, the rename is not."""

    def trace(self, image, mask, camera, options, on_progress):
        world = super().trace(image, mask, camera, options, on_progress)

        class Slow(LayeredWorld):
            def save(self, path):
                from worldtracing.files import replacing

                with replacing(path) as temporary:
                    temporary.write_bytes(b"half")
                    time.sleep(600)

        return Slow(world.points, world.valid, world.rgb, world.K, world.scale)

    def work(self, extra, on_progress):
        pass
