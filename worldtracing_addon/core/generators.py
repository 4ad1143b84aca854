"""Choices for meshes, and the mesh generators that there are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

from ...backend.worldtracing.meshing.base import GENERATORS, GeneratorInfo, Health, MeshOptions, create_generator
from ...backend.worldtracing.meshing.options import GeneratorOption

DEFAULT_GENERATOR = "layers"


@dataclass(frozen=True)
class MeshSettings:
    """One mesh's choices, as the panel and scripts give them.

    Attributes:
        generator: name of a mesh generator; `api.mesh_generators()` lists them.
        faces: triangles to aim at.
        texture_size: side of the square texture in texels.
        resolution: of the volume, which has about `resolution`^3 cells, for generators that have one.
        seed: for generators that draw noise.
        replace: renew the mesh that the same generator made before; otherwise the new one is added beside it.
        extra: values of the generator's own options, which `info.options` of `api.mesh_generators()` describes. Those
            of the machine, such as an address, are taken from the preferences where they are not given here.
    """

    generator: str = DEFAULT_GENERATOR
    faces: int = MeshOptions.faces
    texture_size: int = MeshOptions.texture_size
    resolution: int = MeshOptions.resolution
    seed: int = MeshOptions.seed
    replace: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        """These choices as fields of the protocol's mesh message."""
        names = ("generator", "faces", "texture_size", "resolution", "seed")
        return {name: getattr(self, name) for name in names} | {"extra": dict(self.extra)}


@dataclass(frozen=True)
class KnownGenerator:
    """A mesh generator, and whether the worker can run it; None until it was asked."""

    info: GeneratorInfo
    health: Health | None = None


@cache
def local_generators() -> tuple[GeneratorInfo, ...]:
    """What the generators of this Python say of themselves. None is checked: that may start programs or ask servers."""
    infos = []
    for name in GENERATORS.names():
        try:
            infos.append(create_generator(name).info)
        except (Exception, SystemExit) as error:  # a plug-in may fail in any way
            print(f"World Tracing: the mesh generator {name!r} cannot be used ({error})")
    return tuple(infos)


def known_generators(worker_entries: Iterable[Mapping[str, Any]]) -> list[KnownGenerator]:
    """This Python's generators, and those of the worker's reply to `generators`, whose word counts for one of both."""
    found = {info.name: KnownGenerator(info) for info in local_generators()}
    names = {field.name for field in fields(GeneratorInfo)}
    for entry in worker_entries:
        if "error" in entry:
            continue
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
        values["options"] = tuple(_options(entry.get("options", ())))
        info = GeneratorInfo(**{name: value for name, value in values.items() if name in names})
        health = entry.get("health")
        told = Health(**{name: health[name] for name in ("ok", "message", "fix")}) if health else None
        found[info.name] = KnownGenerator(info, told)
    return list(found.values())


def _options(entries: Iterable[Mapping[str, Any]]) -> Iterator[GeneratorOption]:
    """The options that this version understands; a worker on another computer may be of another."""
    names = {field.name for field in fields(GeneratorOption)}
    for entry in entries:
        with contextlib.suppress(TypeError, ValueError):
            yield GeneratorOption(**{name: value for name, value in entry.items() if name in names})
