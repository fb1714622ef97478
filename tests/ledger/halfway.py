"""A process that writes a batch, begins another and stays in the middle of it: to be killed.

``python halfway.py ADDRESS``: says "halfway" when half of the second batch is written.
"""

from __future__ import annotations

import sys
import threading

from tests.ledger.entries import decided, write

from prism.ledger.address import Address
from prism.ledger.batch import write_batch
from prism.ledger.store import Store


def main() -> None:
    store = Store(Address.parse(sys.argv[1]))
    store.prepare()
    write(store, [decided(number) for number in range(100)])
    with store.writing() as connection:
        write_batch(connection, [decided(number) for number in range(100, 600)], {})
        print("halfway", flush=True)  # noqa: T201 - the test waits for it
        threading.Event().wait()


if __name__ == "__main__":
    main()
