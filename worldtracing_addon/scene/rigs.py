"""Camera rigs for novel views: ordinary cameras, empties, curves and keyframes that the artist can edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import radians
from uuid import uuid4

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...backend.worldtracing.errors import WorldTracingError
from .. import compat
from ..core.frames import SENSOR_MM
from ..core.names import fit_name
from ..core.rigs import ANGLE_STEP, RIGS, STEREO_PARALLAX, RigRange, Viewpoint, fly_path, stereo_shift
from ..core.rigs import suggest_range as suggest
from .camera import copy_camera, look_through
from .coverage import require_camera, require_points, splat_size, viewpoint_of
from .objects import inverse_of, matrix_of
from .parts import new_item
from .transaction import Transaction
from .worlds import WorldObjects

LABELS = {"orbit": "Orbit", "arc": "Arc", "dolly": "Dolly", "fly": "Fly-Through", "stereo": "Stereo"}


@dataclass(frozen=True)
class RigOptions:
    """What a rig is made with; None stands for what the layers' coverage suggests.

    Attributes:
        left, right: degrees of an arc to either side of the photo's camera.
        back, forward: travel of a dolly along the line of sight, in the world's unit.
        separation: between the eyes of a stereo pair, in the world's unit.
        picks: points to fly to, in scene coordinates.
        use_camera: make the new camera the scene's.
    """

    left: float | None = None
    right: float | None = None
    back: float | None = None
    forward: float | None = None
    separation: float | None = None
    picks: Sequence[Sequence[float]] = ()
    use_camera: bool = True


def add_rig(
    scene: bpy.types.Scene, world: WorldObjects, kind: str, options: RigOptions = RigOptions()
) -> bpy.types.Object:
    """A new camera that moves over the scene's frame range, and what moves it; all hangs on the world's root.

    Args:
        kind: "orbit" (a full turn), "arc" (to both sides and back), "dolly", "fly" (past picked points) or "stereo"
            (a pair that does not move; the left one is returned).

    Raises:
        WorldTracingError: WT-SCENE-RIG for an unknown kind or a flight without points, WT-SCENE-CAMERA,
            WT-SCENE-EMPTY.
    """
    if kind not in RIGS:
        raise WorldTracingError("WT-SCENE-RIG", f"There is no rig {kind!r}.", f"Choose one of {', '.join(RIGS)}.")
    if kind == "fly" and not options.picks:
        raise WorldTracingError(
            "WT-SCENE-RIG", "A fly-through needs at least one point to fly to.", "Pick points on the traced world."
        )
    require_camera(world)
    splats = require_points(world)
    view = viewpoint_of(world, splats)
    bounds = None
    if kind in ("arc", "dolly") and None in _asked(kind, options):
        bounds = suggest(splats, view, splat_size(world, *view.size))
    with Transaction() as transaction:
        rig = _Rig(transaction, scene, world, view, kind)
        camera = getattr(rig, kind)(options, bounds)
        if options.use_camera:
            look_through(scene, camera, transaction)
    return camera


def _asked(kind: str, options: RigOptions) -> tuple[float | None, float | None]:
    return (options.left, options.right) if kind == "arc" else (options.back, options.forward)


class _Rig:
    """Builds the parts of one rig; the methods named like a kind return its camera."""

    def __init__(
        self, transaction: Transaction, scene: bpy.types.Scene, world: WorldObjects, view: Viewpoint, kind: str
    ) -> None:
        self._transaction, self._world, self._view, self._kind = transaction, world, view, kind
        self._item = uuid4().hex
        self._first, self._last = scene.frame_start, max(scene.frame_end, scene.frame_start + 1)

    def orbit(self, _options: RigOptions, _bounds: RigRange | None) -> bpy.types.Object:
        camera, pivot = self._on_pivot()
        # One frame beyond the end, so that the animation repeats without a stop.
        self._keys(pivot, "rotation_euler", {self._first: 0.0, self._last + 1: radians(360)}, index=2, curve="LINEAR")
        return camera

    def arc(self, options: RigOptions, bounds: RigRange | None) -> bpy.types.Object:
        camera, pivot = self._on_pivot()
        left = max(bounds.left, ANGLE_STEP) if options.left is None else options.left
        right = max(bounds.right, ANGLE_STEP) if options.right is None else options.right
        turns = (0.0, radians(right), -radians(left), 0.0)
        frames = np.rint(np.interp([0, 0.25, 0.75, 1], [0, 1], [self._first, self._last])).astype(int).tolist()
        self._keys(pivot, "rotation_euler", dict(zip(frames, turns, strict=True)), index=2)
        return camera

    def dolly(self, options: RigOptions, bounds: RigRange | None) -> bpy.types.Object:
        camera = self._camera()
        back = bounds.back if options.back is None else options.back
        forward = bounds.forward if options.forward is None else options.forward
        along = Vector(self._view.center).normalized()
        place = camera.location.copy()
        self._keys(camera, "location", {self._first: place - along * back, self._last: place + along * forward})
        return camera

    def fly(self, options: RigOptions, _bounds: RigRange | None) -> bpy.types.Object:
        to_root = inverse_of(self._world.root)
        picks = np.array([to_root @ Vector(pick) for pick in options.picks])
        places, along = fly_path(picks)
        path = self._part(" Path", self._curve(places))
        path.parent = self._world.root
        aim = self._empty(" Aim", "PLAIN_AXES")
        aims = [Vector((0, self._view.distance, 0)), *map(Vector, picks)]
        frames = np.rint(np.interp(along, [0, 1], [self._first, self._last])).astype(int).tolist()
        self._keys(aim, "location", dict(zip(frames, aims, strict=True)))
        camera = self._camera()
        camera.parent, camera.matrix_basis = None, Matrix()  # else the path would move it twice
        follow = camera.constraints.new("FOLLOW_PATH")
        follow.target, follow.use_fixed_location = path, True
        self._keys(follow, "offset_factor", {self._first: 0.0, self._last: 1.0})
        track = camera.constraints.new("TRACK_TO")
        track.target, track.track_axis, track.up_axis = aim, "TRACK_NEGATIVE_Z", "UP_Y"
        camera.data.dof.focus_object = aim
        return camera

    def stereo(self, options: RigOptions, _bounds: RigRange | None) -> bpy.types.Object:
        apart = self._view.nearest * STEREO_PARALLAX if options.separation is None else options.separation
        head = self._empty(" Head", "SINGLE_ARROW")
        head.matrix_basis = self._world.camera.matrix_basis
        pair = []
        for suffix, side in (("_L", 1), ("_R", -1)):  # the endings that Blender's Multi-View knows
            camera = self._camera(suffix)
            camera.parent = head
            camera.matrix_basis = Matrix.Translation((-side * apart / 2, 0, 0))
            focal = camera.data.lens / SENSOR_MM
            camera.data.shift_x += side * stereo_shift(apart, self._view.distance, focal)
            pair.append(camera)
        return pair[0]

    def _on_pivot(self) -> tuple[bpy.types.Object, bpy.types.Object]:
        """A camera at the photo's place on an Empty at the world's center, which turns about its own z."""
        pivot = self._empty(" Pivot", "SPHERE")
        upright = Vector((0, 0, 1)).rotation_difference(Vector(self._view.up)).to_matrix().to_4x4()
        pivot.matrix_parent_inverse = upright  # so that the rotation shown is that about the axis alone
        pivot.location = upright.inverted() @ Vector(self._view.center)
        camera = self._camera()
        placed = upright @ Matrix.Translation(pivot.location)
        camera.parent, camera.matrix_basis = pivot, placed.inverted() @ self._world.camera.matrix_basis
        camera.data.dof.focus_object = pivot
        return camera, pivot

    def _camera(self, suffix: str = "") -> bpy.types.Object:
        """A camera like the photo's, on the root and at the same place."""
        matched = self._world.camera
        data = copy_camera(self._transaction, matched, fit_name(self._world.name, f" {LABELS[self._kind]}{suffix}"))
        camera = self._part(suffix, data)
        camera.parent, camera.matrix_basis = self._world.root, matched.matrix_basis
        data.dof.focus_distance = self._view.distance * matrix_of(self._world.root).median_scale
        for name in ("wt_frame", "wt_pixel_aspect"):
            camera[name] = list(matched[name])
        return camera

    def _empty(self, suffix: str, shape: str) -> bpy.types.Object:
        empty = self._part(suffix, None)
        empty.empty_display_type, empty.empty_display_size = shape, 0.1 * self._view.distance
        empty.parent = self._world.root
        return empty

    def _part(self, suffix: str, data: bpy.types.ID | None) -> bpy.types.Object:
        name = fit_name(self._world.name, f" {LABELS[self._kind]}{suffix}")
        kind = "rig" + suffix.lower().replace(" ", "_")
        return new_item(self._transaction, self._world, "cameras", name, kind, self._item, data)

    def _curve(self, places: np.ndarray) -> bpy.types.Curve:
        curve = self._transaction.made(bpy.data.curves.new(fit_name(self._world.name, " Path"), "CURVE"))
        curve.dimensions, curve.use_path, curve.path_duration = "3D", True, self._last - self._first
        spline = curve.splines.new("BEZIER")
        spline.bezier_points.add(len(places) - 1)
        spline.bezier_points.foreach_set("co", places.astype(np.float32).reshape(-1))
        for point in spline.bezier_points:
            point.handle_left_type = point.handle_right_type = "AUTO"
        return curve

    def _keys(
        self, owner, path: str, values: dict[int, float | Vector], index: int = -1, curve: str = "BEZIER"
    ) -> None:
        """Keyframes of a property of an object or a constraint, by frame."""
        for frame, value in values.items():
            if index < 0:
                setattr(owner, path, value)
            else:
                getattr(owner, path)[index] = value
            owner.keyframe_insert(path, index=index, frame=frame)
        animated = owner.id_data
        self._transaction.made(animated.animation_data.action)
        for fcurve in compat.fcurves(animated):
            for key in fcurve.keyframe_points:
                key.interpolation = curve
