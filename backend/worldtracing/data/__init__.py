"""Training data: textured meshes, layered ground truth by ray casting, shading, and shards on disk."""
