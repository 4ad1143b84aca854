"""Quality presets set what an engine has, and nothing else."""

from world_tracing.backend.worldtracing.engines.base import EngineInfo
from world_tracing.worldtracing_addon.core.quality import QUALITIES, choices

PLAIN = EngineInfo("plain", "Plain", "d")
NETWORK = EngineInfo("network", "Network", "d", draws_noise=True, options=("model", "steps", "seeds"))
SMALL = EngineInfo("small", "Small", "d", draws_noise=True, options=("steps",))


def test_each_engine_gets_its_own_values():
    best = QUALITIES["BEST"]
    assert choices(best, PLAIN) == {"resolution": 1024}
    assert choices(best, NETWORK) == {"steps": 0, "seeds": 4}
    assert set(choices(best, SMALL)) == {"steps", "seeds", "resolution"}


def test_no_two_presets_are_alike():
    for info in (PLAIN, NETWORK, SMALL):
        values = [tuple(sorted(choices(quality, info).items())) for quality in QUALITIES.values()]
        assert len(set(values)) == len(QUALITIES)
