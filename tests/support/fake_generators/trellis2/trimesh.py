from fake_trimesh import Trimesh  # noqa: F401
