"""pip's words into progress and into sentences."""

import pytest
from world_tracing.worldtracing_addon.core.pip_output import Downloads, is_network_failure, pip_error

UNREACHABLE = """WARNING: Retrying (Retry(total=0, connect=None, read=None, status=None)) after connection broken
by 'NewConnectionError('<pip._vendor...>: Failed to establish a new connection: [Errno 111] Connection refused')'
ERROR: Could not find a version that satisfies the requirement torch==2.13.0 (from versions: none)
ERROR: No matching distribution found for torch==2.13.0"""


def code_of(text, offline=False):
    error = pip_error(text.splitlines(), "mirror.example", offline)
    assert error.fix and ("\n" not in error.message)
    return error.code


def test_progress_of_each_file_and_of_all():
    downloads = Downloads()
    assert downloads.detail == "" and not downloads.read("Collecting torch==2.13.0")
    assert not downloads.read("  Downloading torch-2.13.0-cp311-cp311-win_amd64.whl (122.0 MB)")
    assert downloads.name == "torch" and downloads.megabytes == 0
    assert downloads.read("Progress 61000000 of 122000000")
    assert downloads.megabytes == 61 and downloads.detail.startswith("torch, 61 of 122 MB, ")
    assert downloads.read("Progress 122000000 of 122000000")
    downloads.read("Downloading opencv_python_headless-4.11.0.86-cp37-abi3-win_amd64.whl (39.5 MB)")
    assert downloads.name == "opencv_python_headless" and downloads.megabytes == 122
    assert downloads.read("Progress 1000000 of 39500000") and downloads.megabytes == 123


@pytest.mark.parametrize(
    ("text", "code", "again"),
    [
        (UNREACHABLE, "WT-NET-UNREACHABLE", True),
        ("pip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.", "WT-NET-UNREACHABLE", True),
        ("ERROR: HTTP error 503 while getting https://mirror.example/torch.whl", "WT-NET-UNREACHABLE", True),
        ("error: incomplete-download", "WT-NET-UNREACHABLE", True),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))", "WT-NET-PROXY", True),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "WT-IO-FULL",
            False,
        ),
        ("ERROR: No matching distribution found for torch==2.13.0+cu126", "WT-ENV-NO-WHEEL", False),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "WT-ENV-DAMAGED", False),
        ("ERROR: something new", "WT-ENV-INSTALL", False),
        ("", "WT-ENV-INSTALL", False),
    ],
)
def test_what_went_wrong(text, code, again):
    assert code_of(text) == code
    assert is_network_failure(text.splitlines()) is again


def test_a_folder_has_no_network_to_fail():
    assert code_of(UNREACHABLE, offline=True) == "WT-ENV-NO-WHEEL"
