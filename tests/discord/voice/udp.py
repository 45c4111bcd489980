"""The UDP side of voice: address discovery, and RTP packets decrypted as a real server would have to."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

XCHACHA, AES_GCM = "aead_xchacha20_poly1305_rtpsize", "aead_aes256_gcm_rtpsize"
MODES = (AES_GCM, XCHACHA)
SILENCE = b"\xf8\xff\xfe"
SO_TIMESTAMPNS = 35  # Linux: the kernel notes when a datagram arrived, however busy this process is
HEADER = 12


class BadPacketError(ValueError):
    """A datagram that is no RTP packet, or one that does not decrypt."""


@dataclass(frozen=True)
class Packet:
    """One audio packet. ``at`` is when the kernel received it, in seconds since the Unix epoch."""

    at: float
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @property
    def silent(self) -> bool:
        return self.payload == SILENCE


def open_packet(datagram: bytes, mode: str, key: bytes, at: float) -> Packet:
    """Decrypts an RTP packet of one of the two ``rtpsize`` modes.

    The 12-byte header (plus any CSRCs and the 4-byte extension head) is authenticated, not encrypted;
    the last four bytes are the nonce's counter.
    """
    if len(datagram) < HEADER + 20 or datagram[0] >> 6 != 2 or datagram[1] & 0x7F != 0x78:
        raise BadPacketError(f"not an RTP packet of opus: {datagram[:12].hex()}")
    size = HEADER + 4 * (datagram[0] & 0x0F)
    extended = bool(datagram[0] & 0x10)
    if extended:
        size += 4
    header, sealed, counter = datagram[:size], datagram[size:-4], datagram[-4:]
    try:
        if mode == XCHACHA:
            nonce = counter + bytes(20)
            plain = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, header, nonce, key)
        else:
            plain = AESGCM(key).decrypt(counter + bytes(8), sealed, header)
    except (nacl.exceptions.CryptoError, InvalidTag) as error:
        raise BadPacketError("the packet does not decrypt") from error
    if extended:
        plain = plain[4 * struct.unpack_from(">H", header, size - 2)[0] :]
    sequence, timestamp, ssrc = struct.unpack_from(">HII", header, 2)
    return Packet(at, sequence, timestamp, ssrc, plain)


class Socket:
    """A UDP socket on 127.0.0.1 that answers address discovery and hands on everything else."""

    def __init__(self, on_datagram: Callable[[bytes, float], None]) -> None:
        self.on_datagram = on_datagram
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self.stamped = hasattr(socket, "CMSG_SPACE")
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        except OSError:
            self.stamped = False
        self.socket.bind(("127.0.0.1", 0))
        self.client: tuple[str, int] | None = None
        self.port: int = self.socket.getsockname()[1]
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def _read(self) -> None:
        while True:
            try:
                data, ancillary, _, address = self.socket.recvmsg(4096, 64)
            except (BlockingIOError, OSError):
                return
            at = time.time()
            for level, kind, body in ancillary:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(body) >= 16:
                    seconds, nanoseconds = struct.unpack_from("qq", body)
                    at = seconds + nanoseconds / 1e9
            if len(data) == 74 and data[:2] == b"\x00\x01":
                self._discover(data, address)
            else:
                self.on_datagram(data, at)

    def _discover(self, data: bytes, address: tuple[str, int]) -> None:
        """Type 2, length 70, the SSRC, the sender's address as 64 bytes of text, and its port."""
        self.client = address
        host, port = address
        answer = struct.pack(">HH4s64sH", 2, 70, data[4:8], host.encode(), port)
        self.socket.sendto(answer, address)

    def report(self, ssrc: int) -> None:
        """Sends an empty RTCP receiver report (RFC 3550, 6.4.2), as a server that hears someone does.

        The client's reader thread sits in a 30 s ``select`` on its socket. Without a datagram now and then
        it is still there, on a closed socket, when the client connects anew, and discovery stalls.
        """
        if self.client:
            self.socket.sendto(struct.pack(">BBHI", 0x80, 201, 1, ssrc), self.client)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()
