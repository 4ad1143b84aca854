import struct

import numpy as np
import pytest
from glb_help import glb, painted_glb
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_world import true_mesh

from worldtracing.errors import WorldTracingError
from worldtracing.export.glb import export_glb
from worldtracing.meshing.adapters.glb import read_glb
from worldtracing.meshing.textured import TexturedMesh

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], np.float32)
FACES = np.array([[0, 1, 2], [0, 2, 3]])
UV = np.array([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [1, 1]])
BASE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def refused(content):
    with pytest.raises(WorldTracingError) as caught:
        read_glb(content)
    assert caught.value.code == "WT-MESH-RESULT"
    return caught.value.message


@pytest.mark.parametrize("index_type", [np.uint8, np.uint16, np.uint32])
def test_a_mesh_is_read(index_type):
    packed = np.full((2, 2, 3), (9, 100, 30), np.uint8)
    mesh = read_glb(glb(VERTICES, FACES, UV, BASE, packed, index_type=index_type))
    np.testing.assert_array_equal(mesh.vertices, VERTICES)
    np.testing.assert_array_equal(mesh.faces, FACES)
    np.testing.assert_allclose(mesh.uvs[0], [[0.25, 0.75], [0.75, 0.75], [0.25, 0.25]])
    np.testing.assert_array_equal(mesh.base_color[..., :3], BASE)
    assert (mesh.base_color[..., 3] == 255).all()
    assert (mesh.roughness == 50).all()  # the texture's 100 times the factor of one half
    assert (mesh.metallic == 30).all()


def material(**entries):
    """A change of the material's entries for `glb`; those of `pbr` of its metallic-roughness part."""

    def change(gltf):
        entry = gltf["materials"][0]
        entry["pbrMetallicRoughness"] |= entries.pop("pbr", {})
        entry |= entries

    return change


def test_alpha_counts_only_where_the_material_says_so():
    """Baking leaves rims of charts half clear in textures of opaque materials."""
    base = np.dstack([BASE, np.repeat(np.uint8([0, 100, 200, 255]), 4).reshape(4, 4)])

    def alpha(**entries):
        return read_glb(glb(VERTICES, FACES, UV, base, change=material(**entries))).base_color[:, 0, 3].tolist()

    assert alpha() == alpha(alphaMode="OPAQUE") == [255] * 4
    assert alpha(alphaMode="BLEND") == [0, 100, 200, 255]
    assert alpha(alphaMode="MASK") == [0, 0, 255, 255] and alpha(alphaMode="MASK", alphaCutoff=0.3) == [0] + [255] * 3
    assert alpha(alphaMode="BLEND", pbr={"baseColorFactor": [1, 1, 1, 0.5]}) == [0, 50, 100, 128]


def test_factors_count_with_and_without_textures():
    def read(packed=None, **pbr):
        return read_glb(glb(VERTICES, FACES, UV, BASE, packed, change=material(pbr=pbr)))

    plain = read()
    assert plain.roughness is None and plain.metallic is None
    given = read(roughnessFactor=0.4, metallicFactor=0)
    assert given.roughness.tolist() == [[102]] and given.metallic.tolist() == [[0]]
    packed = read(np.full((2, 2, 3), (9, 100, 30), np.uint8), roughnessFactor=1.0, metallicFactor=0.5)
    assert (packed.roughness == 100).all() and (packed.metallic == 15).all()
    dimmed = read(baseColorFactor=[0.25, 1, 1, 1])  # of linear light: of 45, 0.0262, a quarter is 19
    assert dimmed.base_color[3, 3, 0] == 19 and (dimmed.base_color[..., 1] == BASE[..., 1]).all()


def test_texture_coordinates_point_at_the_right_texel():
    """TexturedMesh: the texel in row r has its center at v = 1 - (r + 0.5) / H."""
    uv = np.full((4, 2), [(2 + 0.5) / 4, (1 + 0.5) / 4])  # column 2, row 1, counted from the top
    mesh = read_glb(glb(VERTICES, FACES, uv, BASE))
    u, v = mesh.uvs[0, 0]
    assert (int(u * 4), int((1 - v) * 4)) == (2, 1)


def test_node_transforms_are_applied():
    half = np.sqrt(0.5)
    node = {"translation": [1, 2, 3], "rotation": [0, 0, half, half], "scale": [2, 2, 2]}  # a quarter turn about z
    mesh = read_glb(glb(VERTICES, FACES, UV, BASE, node=node))
    np.testing.assert_allclose(mesh.vertices, [[1, 2, 3], [1, 4, 3], [-3, 2, 3], [1, 2, 9]], atol=1e-6)
    matrix = np.diag([1.0, 1, -1, 1]).reshape(-1).tolist()
    mirrored = read_glb(glb(VERTICES, FACES, UV, BASE, node={"matrix": matrix}))
    np.testing.assert_array_equal(mirrored.faces, FACES[:, ::-1])


def test_parents_are_applied_to_children():
    def nest(gltf):
        gltf["nodes"] = [{"children": [1], "scale": [2, 2, 2]}, {"mesh": 0, "translation": [1, 0, 0]}]

    np.testing.assert_allclose(
        read_glb(glb(VERTICES, FACES, UV, BASE, change=nest)).vertices, (VERTICES + np.array([1, 0, 0])) * 2
    )


def test_our_own_files_are_read_back(tmp_path):
    vertices, faces = true_mesh()
    random = np.random.default_rng(0)
    uvs = random.random((len(faces), 3, 2)).astype(np.float32)
    base, rough = random.integers(0, 255, (8, 8, 4)).astype(np.uint8), random.integers(0, 255, (8, 8)).astype(np.uint8)
    base[..., 3] = 255
    mesh = TexturedMesh(vertices, faces, uvs, base, metallic=rough, roughness=rough)
    back = read_glb(export_glb(mesh, tmp_path / "mesh.glb").read_bytes())
    np.testing.assert_array_equal(back.vertices[back.faces] * np.float32([1, -1, -1]), vertices[faces])
    np.testing.assert_allclose(back.uvs, uvs, atol=1e-6)
    np.testing.assert_array_equal(back.base_color, base)
    np.testing.assert_array_equal(back.roughness, rough)


def as_points(gltf):
    gltf["meshes"][0]["primitives"][0]["mode"] = 0


def test_what_is_no_textured_mesh_is_refused():
    assert "texture" in refused(glb(VERTICES, FACES, UV))
    assert "texture" in refused(glb(VERTICES, FACES, None, BASE))
    assert "damaged" in refused(b"")
    assert "GLB" in refused(b"<html>not found</html>")
    assert "triangles" in refused(glb(VERTICES, FACES, UV, BASE, change=as_points))
    assert "vertices" in refused(glb(VERTICES, FACES + 2, UV, BASE))
    assert "without end" in refused(glb(VERTICES, FACES, UV, BASE, node={"children": [0]}))


def test_a_texture_bomb_is_not_decoded():
    content = painted_glb(VERTICES, FACES)
    claim = content.index(b"IHDR") + 4
    assert refused(content[:claim] + struct.pack(">II", 60000, 60000) + content[claim + 8 :])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_an_error_and_never_a_crash(data):
    content = bytearray(painted_glb(VERTICES, FACES))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        mesh = read_glb(content)
    except WorldTracingError as error:
        assert error.code == "WT-MESH-RESULT"
    else:
        assert mesh.faces.max() < len(mesh.vertices)
