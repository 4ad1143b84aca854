"""`python -m worldtracing`, for Pythons whose scripts folder is not on the path, Blender's own among them."""

from .cli import main

raise SystemExit(main())
