"""A folder of .npz meshes, split by name into a training and a held-out part.

One file: v (V, 3) float32 vertices, y up, centred, longest side 1; f (F, 3) faces; optionally uv (V, 2), fm (F,) the
material of each face, mc (M, 4) material colors RGBA, and t0, t1, ... the encoded picture of each material.
"""

from __future__ import annotations

import hashlib
import io
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..errors import WorldTracingError
from .mesh import Mesh

HELD_OUT = 9
"""One family of meshes in this many is held out."""

SPLITS = ("train", "held-out", "all")

_VARIANT = re.compile(
    r"(red|blue|green|yellow|orange|purple|black|white|brown|gr[ae]y|small|large|big|tall|short|left|right|half|top|"
    r"bottom|closed|open|[a-h]|\d+)"
)


def family(path: Path) -> str:
    """The name without what tells variants apart (colors, sizes, letters, numbers), so that no variant of a training
    mesh is held out."""
    words = [re.sub(r"\d+$", "", word) for word in re.split(r"[_\-]", path.stem.lower())]
    return "_".join([word for word in words if word and not _VARIANT.fullmatch(word)][:4])


def is_held_out(path: Path) -> bool:
    """Whether a mesh belongs to the held-out split; depends on its file's name alone."""
    return int.from_bytes(hashlib.sha256(family(path).encode()).digest()[:8], "big") % HELD_OUT == 0


def mesh_files(folder: str | Path, split: str = "all") -> list[Path]:
    """The .npz meshes of a folder's split, sorted by name.

    Raises:
        WorldTracingError: WT-IO-READ when there are none.
    """
    files = sorted(Path(folder).glob("*.npz"))
    if split != "all":
        files = [path for path in files if is_held_out(path) == (split == "held-out")]
    if not files:
        raise WorldTracingError(
            "WT-IO-READ",
            f"There are no .npz meshes of the split {split!r} in {folder}.",
            "Give the folder that holds the meshes themselves.",
        )
    return files


def load_mesh(path: str | Path) -> Mesh:
    """Read one mesh with its textures.

    Raises:
        WorldTracingError: WT-IO-READ (missing), WT-IO-INVALID (not such a mesh).
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            data = {name: arrays[name] for name in arrays.files}
        return _mesh(data)
    except FileNotFoundError as error:
        raise WorldTracingError("WT-IO-READ", f"There is no file {path}.", "Check the path.") from error
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise WorldTracingError(
            "WT-IO-INVALID",
            f"{path} is not a mesh in the expected format ({error}).",
            "See the format at the head of data/pool.py.",
        ) from error


@lru_cache(maxsize=1500)
def cached_mesh(path: Path) -> Mesh:
    """`load_mesh`, kept in memory."""
    return load_mesh(path)


def _mesh(data: dict[str, np.ndarray]) -> Mesh:
    vertices, faces = data["v"].astype(np.float32), data["f"].astype(np.int32)
    if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1] != 3 or faces.shape[1] != 3:
        raise ValueError("v and f must have three columns")
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError("a face names a vertex that does not exist")
    colors = data.get("mc", np.full((1, 4), 0.7)).astype(np.float32)
    material = data.get("fm", np.zeros(len(faces))).astype(np.int32)
    if colors.ndim != 2 or colors.shape[1] != 4 or material.shape != faces.shape[:1]:
        raise ValueError("mc must have four columns, and fm one material for each face")
    if len(faces) and not 0 <= material.min() <= material.max() < len(colors):
        raise ValueError("a face names a material that does not exist")
    if "uv" in data and data["uv"].shape != (len(vertices), 2):
        raise ValueError("uv must have two columns and a row for each vertex")
    if not np.isfinite(vertices).all():
        raise ValueError("a vertex is not finite")
    return Mesh(
        vertices=vertices,
        faces=faces,
        material=material,
        colors=colors,
        uv=data["uv"].astype(np.float32) if "uv" in data else None,
        textures=tuple(_picture(data.get(f"t{k}")) for k in range(len(colors))),
    )


def _picture(encoded: np.ndarray | None) -> np.ndarray | None:
    if encoded is None:
        return None
    from PIL import Image

    return np.array(Image.open(io.BytesIO(encoded.tobytes())).convert("RGB"))
