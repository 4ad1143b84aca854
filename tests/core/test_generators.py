"""What is known of mesh generators: those of this Python, and what the worker says of its own."""

from world_tracing.backend.worldtracing.meshing.making import generator_entries
from world_tracing.worldtracing_addon.core.generators import known_generators, local_generators


def test_the_workers_word_counts():
    local = {known.info.name: known for known in known_generators([])}
    assert list(local) == [info.name for info in local_generators()] and local["layers"].health is None
    entries = generator_entries()
    assert {known.info.name: known.info for known in known_generators(entries)} == {
        name: known.info for name, known in local.items()
    }
    theirs = next(entry for entry in entries if entry["name"] == "layers") | {"name": "theirs", "label": "Theirs"}
    known = {known.info.name: known for known in known_generators([theirs, {"name": "broken", "error": {}}])}
    assert known["theirs"].info.label == "Theirs" and known["theirs"].health.ok and "broken" not in known


def test_a_worker_of_another_version_is_understood_as_far_as_possible():
    option = {"name": "steps", "label": "Steps", "kind": "whole", "default": 5, "description": "How many."}
    options = [option | {"unit": "none"}, option | {"name": "hue", "kind": "color"}, {"name": "short"}]
    health = {"ok": True, "message": "Ready.", "fix": "", "since": 3}
    entry = {"name": "theirs", "label": "Theirs", "description": "For tests.", "options": options, "health": health}
    known = {known.info.name: known for known in known_generators([entry | {"color": "red"}])}["theirs"]
    assert [option.name for option in known.info.options] == ["steps"] and known.health.ok
    assert known.info.heeds == ("faces", "texture_size", "resolution", "seed")
