"""The add-on: panels, operators and the Python API in `api`. Importing this package imports neither bpy nor numpy."""


def register() -> None:
    from . import registration

    registration.register()


def unregister() -> None:
    from . import registration

    registration.unregister()
