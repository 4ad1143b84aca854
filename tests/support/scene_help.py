"""Counting what is in a file, and photos on disk, for the tests of scenes."""

import bpy


def census():
    """How many data-blocks of each kind the file holds."""
    kinds = ("collections", "objects", "meshes", "cameras", "images", "materials", "node_groups")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def photo_file(folder, name="cat.png", size=(96, 72)):
    folder.mkdir(exist_ok=True)
    image = bpy.data.images.new("temporary", *size)
    image.filepath_raw, image.file_format = str(folder / name), "PNG"
    image.save()
    bpy.data.images.remove(image)
    return bpy.data.images.load(str(folder / name))
