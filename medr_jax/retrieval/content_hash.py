"""The identity of what an index holds."""

import hashlib

_BITS = 256


class ContentHash:
    """sha256 over a header and documents, as a sequence or as a set.

    As a set it is sha256(header, sum over documents of sha256(line) mod 2^256), which is the same
    in any order (Bellare & Micciancio 1997, AdHash). A graph's documents come in one order, and
    stored trajectories name its index by the hash of the sequence, so that is kept.
    """

    def __init__(self, header: bytes, *, order_free: bool) -> None:
        self._digest = hashlib.sha256(header)
        self._order_free = order_free
        self._sum = 0

    def update(self, line: bytes) -> None:
        """Adds one document's canonical line."""
        if self._order_free:
            self._sum += int.from_bytes(hashlib.sha256(line).digest(), "big")
        else:
            self._digest.update(line)

    def hexdigest(self) -> str:
        """The identity of all that was added."""
        if not self._order_free:
            return self._digest.hexdigest()
        whole = self._digest.copy()
        whole.update((self._sum % (1 << _BITS)).to_bytes(_BITS // 8, "big"))
        return whole.hexdigest()
