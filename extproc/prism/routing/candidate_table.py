"""Another table that is tried beside a table, and which conversations it decides."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

_BITS = 64


@dataclass(frozen=True, slots=True)
class CandidateTable:
    """``percent`` (0 to 100) of a table's conversations are decided by ``table``; of the others
    its decision is only compared."""

    table: str
    percent: int

    def takes(self, key: str) -> bool:
        """Whether it decides the conversation of this key: the same on every replica and at all
        times. Whoever is among 10 % is among 20 %, too; another candidate takes others."""
        if self.percent in (0, 100):
            return self.percent == 100
        text = f"{self.table}\0{key}".encode("utf-8", "surrogatepass")
        place = int.from_bytes(blake2b(text, digest_size=_BITS // 8).digest(), "big")
        return place * 100 < self.percent << _BITS
