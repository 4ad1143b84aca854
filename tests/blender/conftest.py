"""pytest inside the bpy wheel: the built zip is installed and enabled once, each test gets an empty file."""

import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

# Before the first import of bpy, so that no test touches the user's own Blender settings.
RESOURCES = os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="world-tracing-test-")

import bpy
from toy_world import make_world

sys.path.append(str(Path(__file__).resolve().parents[2] / "backend"))  # what `editing_world` imports

MODULE = "bl_ext.user_default.world_tracing"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.exitstatus = exitstatus


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Leave without Blender's own end of a process: as a module it may wait there for ever for one of its threads."""
    for folder in (RESOURCES, bpy.app.tempdir):
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(config.exitstatus)


@pytest.fixture(scope="session")
def extension_zip() -> Path:
    path = os.environ.get("WT_ZIP")
    if not path or not Path(path).is_file():
        pytest.fail("WT_ZIP must name the built extension zip; `make test-blender` sets it.")
    return Path(path)


@pytest.fixture(scope="session")
def addon(extension_zip):
    """The installed and enabled `worldtracing_addon` package."""
    import addon_utils

    installed = bpy.ops.extensions.package_install_files(
        filepath=str(extension_zip), repo="user_default", enable_on_install=True
    )
    assert installed == {"FINISHED"}
    assert addon_utils.check(MODULE) == (True, True)
    yield importlib.import_module(f"{MODULE}.worldtracing_addon")
    bpy.ops.preferences.addon_disable(module=MODULE)


@pytest.fixture(autouse=True)
def empty_file(addon):
    """An empty file before each test; the extension stays enabled."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)


@pytest.fixture
def submodule(addon):
    """Import a module of the installed extension by its path below the root, e.g. "worldtracing_addon.api"."""
    return lambda name: importlib.import_module(f"{MODULE}.{name}")


@pytest.fixture
def api(submodule):
    yield submodule("worldtracing_addon.api")
    submodule("worldtracing_addon.client.session").shutdown()


@pytest.fixture
def errors(submodule):
    return submodule("backend.worldtracing.errors")


@pytest.fixture
def settings(submodule):
    return submodule("worldtracing_addon.core.settings")


@pytest.fixture
def scene_modules(submodule):
    """A namespace of the add-on's scene modules; `world` makes a toy world, and `make` builds one."""

    class Modules:
        api = submodule("worldtracing_addon.api")
        build = submodule("worldtracing_addon.scene.build")
        camera = submodule("worldtracing_addon.scene.camera")
        compat = submodule("worldtracing_addon.compat")
        errors = submodule("backend.worldtracing.errors")
        layer_group = submodule("worldtracing_addon.scene.layer_group")
        layers = submodule("worldtracing_addon.scene.layers")
        points = submodule("worldtracing_addon.scene.points")
        render = submodule("worldtracing_addon.scene.render")
        worlds = submodule("worldtracing_addon.scene.worlds")

        @staticmethod
        def world(*size, **options):
            return make_world(submodule("backend.worldtracing.world").LayeredWorld, *size, **options)

        @classmethod
        def make(cls, name="cat.png", photo=None, **options):
            return cls.show(cls.world(**options), name, photo)

        @classmethod
        def show(cls, world, name="cat.png", photo=None):
            """Build a given world in the current scene."""
            return cls.build.build_world(
                bpy.context.scene, world, name=name, photo=photo, source="/tmp/cat.safetensors"
            )

    return Modules


@pytest.fixture
def edit_modules(submodule):
    """A namespace of what tests of scene editing look into."""

    class Modules:
        lifting = submodule("worldtracing_addon.scene.lifting")
        objects = submodule("worldtracing_addon.scene.objects")
        picking = submodule("worldtracing_addon.scene.picking")
        points = submodule("worldtracing_addon.scene.points")
        read = staticmethod(submodule("worldtracing_addon.scene.attributes").read_attribute)
        world_data = submodule("worldtracing_addon.scene.world_data")

    return Modules


@pytest.fixture
def build_room(submodule):
    """build_room(name, things, scale) -> (world, owners): the room of `editing_world` in the scene."""
    import editing_world as room

    world_class = submodule("backend.worldtracing.world").LayeredWorld
    build = submodule("worldtracing_addon.scene.build")

    def make(name="room", things=(room.BALL, room.CRATE, room.TABLE, room.CUP), scale="metric"):
        traced, owners = room.room(things)
        metadata = {"mode": "scene", "engine": "toy"}
        arrays = traced.points.copy(), traced.valid.copy(), traced.rgb.copy(), traced.K.copy()
        traced = world_class(*arrays, scale, metadata=metadata)
        world = build.build_world(bpy.context.scene, traced, name=name, photo=None, source="")
        bpy.context.view_layer.update()
        return world, owners

    return make


@pytest.fixture
def ball(submodule):
    """The striped ball of `ball_world` in the scene, and what was traced."""
    from ball_world import ball_world

    traced = ball_world(submodule("backend.worldtracing.world").LayeredWorld)
    build = submodule("worldtracing_addon.scene.build").build_world
    world = build(bpy.context.scene, traced, name="ball", photo=None, source="")
    bpy.context.view_layer.update()
    return world, traced
