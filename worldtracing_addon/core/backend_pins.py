"""The versions that a backend environment is made of."""

from __future__ import annotations

import hashlib

TORCH = "2.13.0"

PIP = "pip==26.0.1"
"""Newer than what Python brings: it says how far a download is, and goes on with one that broke off."""

DIRECT = (
    "diffusers==0.42.1",
    "einops==0.8.2",
    "fast-simplification==0.2.0",
    "huggingface_hub==2.4.0",
    "numpy==2.4.6",
    "OpenEXR==3.5.3",
    "opencv-python-headless==4.11.0.86",
    "pillow==13.0.0",
    "safetensors==0.8.0",
    "scipy==1.17.1",
    "transformers==5.23.0",
)
"""What the backend imports beside PyTorch."""

INDIRECT = (
    *("annotated-doc==0.0.7", "annotated-types==0.8.0", "anyio==4.16.0", "certifi==2026.10.18"),
    *("charset-normalizer==3.5.2", "click==8.5.1", "colorama==0.4.6"),
    *("filelock==4.2.11", "fsspec==2026.9.0", "h11==0.16.0", "hf-xet==1.8.0", "httpcore2==2.16.2", "httpx2==2.16.2"),
    *("idna==3.20", "importlib_metadata==10.2.0", "Jinja2==3.1.6", "lazy-importer==0.1.0"),
    *("markdown-it-py==4.3.0", "MarkupSafe==3.0.4", "mdurl==0.1.2", "mpmath==1.3.0"),
    *("networkx==3.6.1", "packaging==26.3", "pydantic==2.14.3", "pydantic-core==2.50.4", "Pygments==2.21.0"),
    *("PyYAML==6.0.3", "regex==2026.11.15", "requests==2.34.2", "rich==15.0.0", "setuptools==84.2.1"),
    *("shellingham==1.5.4", "sympy==1.14.0", "tokenizers==0.23.3", "tqdm==4.70.1", "truststore==0.10.5"),
    *("typer==0.29.2", "typing_extensions==4.16.0", "typing-inspection==0.4.5", "urllib3==2.8.0", "zipp==4.1.2"),
)
"""What those and PyTorch need. The CUDA libraries are not listed: PyTorch itself names their versions."""


def digest() -> str:
    """Changes with any of the pins; an environment made from others can be updated."""
    return hashlib.sha256("\n".join((TORCH, PIP, *DIRECT, *INDIRECT)).encode()).hexdigest()[:16]
