"""The checkout as the package `world_tracing`, as Blender would load it, for tests that need no installed zip."""

import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

from checkout import load_extension

load_extension()

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has it ignored by what it runs in the background, and so would the programs that tests send Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
