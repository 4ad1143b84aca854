"""World Tracing, the Blender extension: Blender looks for the add-on beside `blender_manifest.toml`."""


def register() -> None:
    from .worldtracing_addon import register

    register()


def unregister() -> None:
    from .worldtracing_addon import unregister

    unregister()
