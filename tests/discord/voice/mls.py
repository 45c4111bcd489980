"""The voice server's part in DAVE: it proposes members to the group, and never sees a key.

Structures as in RFC 9420 (MLS) for cipher suite 2 (P-256), and as in Discord's DAVE protocol: opcode 25
carries an ExternalSender, opcode 27 a vector of proposals signed by it, opcode 28 a commit and its welcome.
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

MLS10, PUBLIC_MESSAGE, BASIC = 1, 1, 1
SENDER_MEMBER, SENDER_EXTERNAL = 1, 2
PROPOSAL, COMMIT, ADD, REMOVE = 2, 3, 1, 3


def vector(data: bytes) -> bytes:
    """A byte string with MLS's variable-size length in front (RFC 9420, 2.1.2)."""
    size = len(data)
    if size < 1 << 6:
        return bytes([size]) + data
    if size < 1 << 14:
        return struct.pack(">H", size | 0x4000) + data
    return struct.pack(">I", size | 0x8000_0000) + data


class Reader:
    """Walks over a serialised structure."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def skip(self, size: int) -> bytes:
        if self.at + size > len(self.data):
            raise ValueError("the structure ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.skip(size), "big")

    def vector(self) -> bytes:
        first = self.number(1)
        size = first & 0x3F
        for _ in range((1 << (first >> 6)) - 1):
            size = size << 8 | self.number(1)
        return self.skip(size)


def commit_size(data: bytes) -> int:
    """Bytes of the commit at the head of ``data`` (an MLSMessage with a PublicMessage); a welcome follows."""
    reader = Reader(data)
    if reader.number(2) != MLS10 or reader.number(2) != PUBLIC_MESSAGE:
        raise ValueError("not a public MLS message")
    reader.vector()  # group id
    reader.skip(8)  # epoch
    if reader.number(1) != SENDER_MEMBER:
        raise ValueError("a commit comes from a member")
    reader.skip(4)  # leaf index
    reader.vector()  # authenticated data
    if reader.number(1) != COMMIT:
        raise ValueError("not a commit")
    reader.vector()  # proposals
    if reader.number(1):
        skip_update_path(reader)
    for _ in range(3):  # signature, confirmation tag, membership tag
        reader.vector()
    return reader.at


def skip_update_path(reader: Reader) -> None:
    """A LeafNode and the path above it (RFC 9420, 7.2 and 7.6)."""
    for _ in range(2):  # encryption key, signature key
        reader.vector()
    reader.skip(2)
    reader.vector()  # credential
    for _ in range(5):  # capabilities
        reader.vector()
    source = reader.number(1)
    if source == 1:
        reader.skip(16)  # lifetime
    elif source == 3:
        reader.vector()  # parent hash
    for _ in range(3):  # extensions, signature, path nodes
        reader.vector()


class ExternalSender:
    """A P-256 key whose proposals the members of every group accept."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def package(self) -> bytes:
        """What opcode 25 carries: the public key and a basic credential."""
        public = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return vector(public) + struct.pack(">H", BASIC) + vector(b"loopback voice server")

    def add(self, group: int, epoch: int, key_package: bytes) -> bytes:
        """A proposal to add the owner of ``key_package``."""
        return self._propose(group, epoch, struct.pack(">H", ADD) + key_package)

    def remove(self, group: int, epoch: int, leaf: int) -> bytes:
        """A proposal to remove the member at ``leaf``."""
        return self._propose(group, epoch, struct.pack(">HI", REMOVE, leaf))

    def _propose(self, group: int, epoch: int, proposal: bytes) -> bytes:
        content = vector(struct.pack(">Q", group)) + struct.pack(">Q", epoch)
        content += struct.pack(">BI", SENDER_EXTERNAL, 0) + vector(b"") + bytes([PROPOSAL]) + proposal
        signed = struct.pack(">HH", MLS10, PUBLIC_MESSAGE) + content
        labelled = vector(b"MLS 1.0 FramedContentTBS") + vector(signed)
        signature = self._key.sign(labelled, ec.ECDSA(hashes.SHA256()))
        return signed + vector(signature)


def proposals(messages: list[bytes]) -> bytes:
    """What opcode 27 carries to append: the operation and a vector of messages."""
    return b"\x00" + vector(b"".join(messages))
