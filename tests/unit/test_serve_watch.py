"""Changes of a folder are noticed, those of a folder that is not there yet, too."""

from __future__ import annotations

import asyncio
from pathlib import Path

from prism.serve.watch import changes


async def test_a_change_is_noticed_also_while_the_last_one_is_worked_on(tmp_path: Path) -> None:
    watching = changes(tmp_path)
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    (tmp_path / "one").write_text("1")
    await asyncio.wait_for(first, 30)
    (tmp_path / "two").write_text("2")
    await asyncio.wait_for(anext(watching), 30)
    await watching.aclose()


async def test_the_coming_of_a_folder_is_a_change(tmp_path: Path) -> None:
    watching = changes(tmp_path / "later")
    first = asyncio.ensure_future(anext(watching))
    await asyncio.sleep(0)
    assert not first.done()
    (tmp_path / "later").mkdir()
    await asyncio.wait_for(first, 30)
    await watching.aclose()
