"""What runs in a generator's own Python, away from this package: standard library, numpy and safetensors alone.

`launch.py` starts one of the other modules and speaks for it. Written for Python 3.8 and later, as the generators ask.
"""
