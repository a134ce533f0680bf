"""AES-128 of HLS segments (RFC 8216, 4.3.2.4); needs the extra ``encrypted``."""

from __future__ import annotations

from player_sdk.errors import PlaylistError


def decrypted(content: bytes, *, key: bytes, iv: bytes) -> bytes:
    """The content in the clear.

    Args:
        content: AES-128 in CBC mode, padded by PKCS7.
        key: 16 bytes.
        iv: 16 bytes: the initialisation vector.

    Raises:
        PlaylistError: The extra is not installed, the key is not of 16 bytes, or the content is not of this key.
    """
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as error:
        raise PlaylistError("encrypted segments need the extra: pip install 'player-sdk[encrypted]'") from error
    if len(key) != 16:
        raise PlaylistError(f"a key of {len(key)} bytes; AES-128 needs 16")
    if not content or len(content) % 16:
        raise PlaylistError(f"{len(content)} encrypted bytes are no whole number of blocks of 16")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    padded = decryptor.update(content) + decryptor.finalize()
    padding = padded[-1]
    if not 1 <= padding <= 16 or padded[-padding:] != bytes([padding]) * padding:
        raise PlaylistError("an encrypted segment does not open with its key")
    return padded[:-padding]
