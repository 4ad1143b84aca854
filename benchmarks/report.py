"""How benchmarks tell their figures: a line each, with the goal and whether it is met."""

from __future__ import annotations

import json


class Report:
    """Prints results as they come."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.failed = False

    def add(
        self, name: str, value: float, unit: str, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        ok = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        self.failed |= not ok
        goal = f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}" if at_most is not None else None
        if self.as_json:
            line = {"name": name, "value": round(float(value), 4), "unit": unit, "goal": goal, "ok": bool(ok)}
            print(json.dumps(line), flush=True)
        else:
            print(f"{'ok  ' if ok else 'MISS'} {name:54} {value:10.4g} {unit:10} {goal or ''}", flush=True)

    def skip(self, what: str, why: str) -> None:
        line = {"name": what, "value": None, "unit": "", "goal": None, "ok": None, "skipped": why}
        print(json.dumps(line) if self.as_json else f"skip {what}: {why}", flush=True)
