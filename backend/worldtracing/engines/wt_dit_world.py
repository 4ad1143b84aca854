"""From what the sampler returns to a LayeredWorld: what stands between the network and the user, numpy alone.

Edge flyers are dropped by default from objects and clips, and kept in scenes. Measured at 504 x 504 on surfaces whose
depth was mixed over 3 x 3 pixels where it jumps: of two spheres the filter removes all flyers, and at their steep rims
11 % of the true points; of a room it removes 40 % of the flyers and 9 % of the true points, because its outlier test
compares all points with one typical distance, which in a scene grows with depth. A test repeats this at half the size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ..camera import Camera
from ..errors import WorldTracingError
from ..flyers import CLIP, STILL, drop_flyers
from ..layers import confidence_from_seeds, drop_collapsed, order_violations, solve_camera, sort_layers
from ..preprocess import NetworkInput
from ..sky import guess_sky
from ..weights.tensorfile import WeightsHeader
from ..world import LayeredWorld
from .wt_dit_options import WTDiTOptions

if TYPE_CHECKING:
    from .wt_dit_network import Traced

RELATIVE_NORMS = ("median_log", "median_log_global")
"""Coordinate normalizations without a unit; the other released one is in metres."""

WORTH_A_NOTE = 0.05  # of the picture: sky below this is not mentioned


@dataclass(frozen=True)
class Layers:
    """Repaired layers of one picture.

    Attributes:
        points: (S, L, H, W, 3) float32 of each seed, front to back without gaps.
        valid: (S, L, H, W) bool.
        violations: per seed, the share of neighbouring layers whose order had to be repaired.
    """

    points: np.ndarray
    valid: np.ndarray
    violations: list[float]

    @cached_property
    def confidence(self) -> np.ndarray | None:
        """(L, H, W) float32, the agreement of several seeds."""
        return confidence_from_seeds(self.points, self.valid) if len(self.points) > 1 else None


def repair_layers(points: np.ndarray, mask: np.ndarray) -> Layers:
    """Put each ray's layers in order and drop those that repeat the surface before them.

    Points that are not in front of the camera are invalid.

    Args:
        points: (S, L, H, W, 3) float32 from the sampler.
        mask: (L, H, W) bool, where there was something to trace.
    """
    repaired, violations = np.empty_like(points), []
    kept = np.empty(points.shape[:-1], bool)
    for k, xyz in enumerate(points):
        valid = mask & (xyz[..., 2] > 0)
        for axis in range(3):
            valid &= np.isfinite(xyz[..., axis])
        violations.append(order_violations(xyz, valid))
        ordered = sort_layers(xyz, valid)
        repaired[k], kept[k] = sort_layers(*drop_collapsed(*ordered))  # the second time closes the gaps
    return Layers(repaired, kept, violations)


def check_points(pictures: Sequence[Layers]) -> None:
    """Raises WT-MODEL-NO-POINTS where no picture has any valid point."""
    if not any(layers.valid.any() for layers in pictures):
        raise WorldTracingError(
            "WT-MODEL-NO-POINTS",
            "The network put no point in front of the camera.",
            "Try another seed, and check that the model and the mode suit the photo.",
        )


def sky_note(picture: NetworkInput, leave_out: bool) -> tuple[NetworkInput, list[str]]:
    """A scene without what is taken for clear sky, if asked for; and a sentence where there seems to be some."""
    sky = guess_sky(picture.rgb) & picture.mask
    share = sky.mean()
    if leave_out:
        return replace(picture, mask=picture.mask & ~sky), [f"Clear sky left out: {share:.0%} of the picture."]
    if share < WORTH_A_NOTE:
        return picture, []
    return picture, [
        "The photo seems to show sky, to which the model gives points like to any surface: leave it out with a mask, "
        "or with mask_sky."
    ]


@dataclass(frozen=True)
class WorldMaker:
    """Makes worlds of one model's layers.

    Attributes:
        header: of the weights.
        wish: what the user has chosen.
        mode: "object", "scene" or "clip".
    """

    header: WeightsHeader
    wish: WTDiTOptions
    mode: str

    def camera(self, layers: Layers, seed: int, picture: NetworkInput, photo_camera: Camera) -> Camera:
        """The network's square as seen by the camera that layer 0 determines, or else by the photo's."""
        solved = solve_camera(layers.points[seed], layers.valid[seed])
        return solved or picture.window.square_camera(photo_camera, len(picture.mask))

    def world(
        self,
        traced: Traced,
        layers: Layers,
        seed: int,
        picture: NetworkInput,
        camera: Camera,
        notes: Sequence[str],
        facts: Mapping[str, Any] = MappingProxyType({}),
        solve: bool = True,
    ) -> LayeredWorld:
        """The world of one seed (an index), on the pixels of the network's square.

        `camera` is the photo's, to be replaced by the one that the points determine, or with solve=False that of the
        square. With several seeds, `confidence` is their agreement.
        """
        if solve:
            camera = self.camera(layers, seed, picture, camera)
        points, valid = layers.points[seed], layers.valid[seed]
        found = int(valid.sum())
        if self.wish.flyers:
            points, valid = drop_flyers(points, valid, CLIP if self.mode == "clip" else STILL)
        metadata = {
            **self._model_facts(picture, camera),
            "steps": traced.steps,
            "precision": traced.precision,
            "device": traced.device,
            "seed": self.wish.seeds[seed],
            "seeds": list(self.wish.seeds),
            "seed_disagreement": traced.disagreement,
            "order_violations": layers.violations[seed],
            "flyers_dropped": found - int(valid.sum()),
            "notes": [*traced.notes, *notes],
            **facts,
        }
        return LayeredWorld(points, valid, picture.rgb, camera.K, self.scale, layers.confidence, metadata)

    def preview(self, layers: Layers, picture: NetworkInput, camera: Camera) -> LayeredWorld:
        """The first seed's current estimate; nothing is filtered."""
        camera = self.camera(layers, 0, picture, camera)
        metadata = {**self._model_facts(picture, camera), "seed": self.wish.seeds[0], "preview": True}
        return LayeredWorld(layers.points[0], layers.valid[0], picture.rgb, camera.K, self.scale, metadata=metadata)

    @property
    def scale(self) -> str:
        return "relative" if self.header.config.xyz_norm in RELATIVE_NORMS else "metric"

    def _model_facts(self, picture: NetworkInput, camera: Camera) -> dict[str, Any]:
        config, window = self.header.config, picture.window
        facts = {
            "engine": "wt-dit",
            "model": config.name,
            "weights_sha256": self.header.source_sha256,
            "crop": [window.x0, window.y0, window.x0 + window.width, window.y0 + window.height],
            "camera_source": camera.source,
        }
        if self.header.release:
            facts["release"] = self.header.release
        if config.temporal:
            facts["noise_correlation"] = config.noise_correlation
        return facts
