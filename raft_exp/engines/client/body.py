"""Reads the body of a response, with a limit on its size after decompression.

The limit protects against endless bodies, and against small bodies that decompress to gigabytes.
"""

import zlib
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import aiohttp


class TooLargeError(Exception):
    """The decompressed body is larger than the limit."""


class UnreadableError(Exception):
    """The body cannot be decompressed: it is damaged, or its Content-Encoding is unknown."""


class _Unpacker(Protocol):
    def __call__(self, data: bytes, room: int) -> bytes:
        """Decompresses the next bytes of a body. Returns at most `room` bytes."""


async def read(response: "aiohttp.ClientResponse", most: int) -> bytes:
    """Returns the decompressed body of a response.

    Raises TooLargeError if the decompressed body has more than `most` bytes, and UnreadableError if it cannot be
    decompressed. The session must have `auto_decompress=False`. At most `most` bytes and one chunk are in memory.
    """
    unpack = _unpacker(response.headers.get("Content-Encoding", "").strip().lower())
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += unpack(chunk, most + 1 - len(body))
        if len(body) > most:
            response.close()
            raise TooLargeError
    return bytes(body)


def _unpacker(packing: str) -> _Unpacker:
    if packing in ("", "identity"):
        return lambda data, room: data[:room]
    if packing not in ("gzip", "x-gzip", "deflate"):
        raise UnreadableError(packing)
    state = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes

    def unpack(data: bytes, room: int) -> bytes:
        try:
            return state.decompress(data, room)
        except zlib.error as error:
            raise UnreadableError(packing) from error

    return unpack
