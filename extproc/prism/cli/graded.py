"""Graded answers of a ledger, for ``prism calibrate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prism.cli.ledger_options import ledger_address

if TYPE_CHECKING:
    from prism.calibrate.feedback import Moved
    from prism.calibrate.settings import Settings
    from prism.routing.catalog import Table


def of_ledger(ledger: str, table: Table, settings: Settings) -> Moved:
    """``table`` moved by the feedback in the ledger. Raises ``Broken`` where there is too little,
    or no ledger."""
    from prism.calibrate.feedback import moved
    from prism.calibrate.outcomes import Outcome
    from prism.calibrate.settings import Broken
    from prism.calibrate.tally import count
    from prism.ledger.finding import graded
    from prism.ledger.store import Away, Store, WrongVersion

    address = ledger_address(ledger, None)
    if address is None:
        raise Broken("--from-ledger needs a ledger")
    store = Store(address)
    try:
        store.check()
        with store.reading() as connection:
            answers = (
                Outcome(one.decision_id, one.model, one.score, one.task, None, None)
                for one in graded(connection)
            )
            tally = count(answers, lambda answer: answer.task)
    except (Away, WrongVersion) as error:
        raise Broken(str(error)) from None
    finally:
        store.close()
    return moved(table, tally, settings)
