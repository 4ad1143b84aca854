"""Picture files to arrays, one module per library: Pillow, OpenCV, OpenEXR, and safetensors for hosts without them."""
