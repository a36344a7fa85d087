"""Addresses for the nodes of a gang on one machine.

`loopback_addresses(n)` gives one IPv4 address per node. On Linux all of 127.0.0.0/8 is the loopback interface, so each
node gets an address of its own and two nodes can listen on the same port, as on real machines; the addresses are
random, so that two runs at once do not meet. Where a random one cannot be bound (macOS has only 127.0.0.1), all nodes
share 127.0.0.1.
"""

from __future__ import annotations

import random
import socket

_ALL_SHARE = "127.0.0.1"


def loopback_addresses(count: int) -> tuple[str, ...]:
    source = random.SystemRandom()
    found: dict[str, None] = {}
    while len(found) < count:
        # 127.0.x.x is left to what people configure by hand; no part is 0 or 255, which old software refuses.
        address = f"127.{source.randint(1, 254)}.{source.randint(1, 254)}.{source.randint(1, 254)}"
        if not _can_bind(address):
            return (_ALL_SHARE,) * count
        found[address] = None
    # torch hands out ranks in the order of the addresses as text: sorted, rank 0 is on node 0.
    return tuple(sorted(found))


def _can_bind(address: str) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
