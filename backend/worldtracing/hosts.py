"""Names and addresses of computers."""

from __future__ import annotations

import ipaddress


def is_this_computer(host: str) -> bool:
    """Whether what is sent to `host` never leaves this computer; no name is looked up."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False
