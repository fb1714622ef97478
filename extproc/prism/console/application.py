"""The web application of the console: paths, headers, who may look, and threads to ask in."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote

from aiohttp import web

from prism.console import pages
from prism.console.access import COOKIE, SESSION_S, Access
from prism.console.asking import Asked, BadFilter
from prism.console.pages import NoLedger, Seen
from prism.console.render import FILES, STATIC, rendered
from prism.console.sight import Sight
from prism.console.trial import MOST_BYTES
from prism.ledger.store import Away, Refused

log = logging.getLogger(__name__)

AT_ONCE = 2
"""Pages that are made at a time: the console must not take the machine from requests."""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_OPEN = ("/login", "/static/")
_FOREIGN = ("cross-site", "same-site")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Page = Callable[[Seen], str | None]


class Console:
    """The application. ``close`` it after its listener."""

    def __init__(self, sight: Sight, access: Access) -> None:
        self._sight = sight
        self._access = access
        self._pool = ThreadPoolExecutor(AT_ONCE, "console")

    def application(self) -> web.Application:
        """The paths of ``render.PAGES``, a decision's, and how to get in."""
        app = web.Application(middlewares=[self._guard], client_max_size=MOST_BYTES)
        shown: dict[str, Page] = {
            "/": pages.overview,
            "/routing": pages.routing,
            "/spend": pages.spending,
            "/quality": pages.quality,
            "/table": pages.table,
            "/candidate": pages.candidate,
            "/health": pages.healthy,
        }
        for path, page in shown.items():
            app.router.add_get(path, partial(self._page, page))
        app.router.add_get("/decisions", self._decisions)
        app.router.add_get("/decisions/find", self._find)
        app.router.add_get("/decisions/{id}", self._decision)
        app.router.add_post("/table", self._trial)
        app.router.add_get("/login", self._login)
        app.router.add_post("/login", self._log_in)
        app.router.add_post("/logout", self._log_out)
        app.router.add_get("/static/{name}", self._static)
        return app

    def close(self) -> None:
        """Start no more questions; those that run end within their time."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._guarded(request, handler)
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._access.host_allowed(request.host):
            text = "Without a token the console answers at localhost and 127.0.0.1 only.\n"
            return web.Response(status=421, text=text)
        if request.method == "POST" and request.headers.get("Sec-Fetch-Site") in _FOREIGN:
            return web.Response(status=403, text="This came from another site's page.\n")
        cookie = request.cookies.get(COOKIE)
        if not request.path.startswith(_OPEN) and not self._access.allowed(request.headers, cookie):
            if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
                return web.Response(status=303, headers={"Location": "/login"})
            text = "The console needs its token: Authorization: Bearer TOKEN\n"
            return web.Response(status=401, text=text, headers={"WWW-Authenticate": "Bearer"})
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.Response(status=error.status, text=f"{error.reason}\n")
        except BadFilter as bad:
            return await self._trouble(400, "This filter means nothing", str(bad))

    async def _page(self, page: Page, request: web.Request) -> web.Response:
        return await self._made(self._seen(request), page)

    async def _decisions(self, request: web.Request) -> web.Response:
        before = request.query.get("before") or None
        seen = self._seen(request, records=pages.LINES)
        return await self._made(seen, lambda seen: pages.decisions(seen, before))

    async def _decision(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        seen = self._seen(request, record=name)
        return await self._made(seen, lambda seen: pages.decision(seen, name))

    async def _find(self, request: web.Request) -> web.Response:
        name = quote(request.query.get("id", "").strip(), safe="")
        return web.Response(status=303, headers={"Location": f"/decisions/{name}"})

    async def _trial(self, request: web.Request) -> web.Response:
        form = await request.post()
        given, text = form.get("file"), str(form.get("text", ""))
        if isinstance(given, web.FileField) and given.filename:
            text = given.file.read().decode("utf-8", "replace")
        return await self._made(self._seen(request), lambda seen: pages.trial(seen, text))

    async def _made(self, seen: Seen, page: Page) -> web.Response:
        loop = asyncio.get_running_loop()
        try:
            text = await loop.run_in_executor(self._pool, page, seen)
        except NoLedger:
            text = "Prism runs with --ledger none: nothing is kept that could be shown here."
            return await self._trouble(200, "There is no ledger", text)
        except (Away, Refused) as error:
            log.warning("the console can't read the ledger: %s", error)
            text = f"It said: {error}. A shorter window or a project asks less of it."
            return await self._trouble(503, "The ledger does not answer in time", text)
        if text is None:
            text = "Neither the ledger nor this process's memory has it. Old decisions go by age."
            return await self._trouble(404, "No such decision", text)
        return web.Response(text=text, content_type="text/html")

    async def _trouble(self, status: int, heading: str, text: str) -> web.Response:
        seen = Seen(Asked(), time.time(), None, None, self._sight.catalogs(), {})
        made = await asyncio.to_thread(pages.trouble, seen, heading, text)
        return web.Response(status=status, text=made, content_type="text/html")

    def _seen(self, request: web.Request, records: int = 0, record: str | None = None) -> Seen:
        """Looked at here, on the event loop, since it changes there."""
        sight, found = self._sight, []
        if record is not None and (one := sight.record(record)) is not None:
            found = [one]
        elif records and sight.store is None:
            found = sight.records(records)
        asked = Asked.of(request.query)
        return Seen(
            *(asked, time.time(), sight.store, sight.live(), sight.catalogs(), sight.status()),
            tuple(found),
            self._access.token is not None,
        )

    async def _login(self, request: web.Request, wrong: bool = False) -> web.Response:
        text = rendered("login", "", Asked(), wrong=wrong)
        return web.Response(status=403 if wrong else 200, text=text, content_type="text/html")

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        if not self._access.right(str(form.get("token", ""))):
            return await self._login(request, wrong=True)
        answer = web.Response(status=303, headers={"Location": "/"})
        secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
        answer.set_cookie(
            *(COOKIE, self._access.cookie()),
            max_age=SESSION_S,
            httponly=True,
            samesite="Strict",
            secure=secure,
        )
        return answer

    async def _log_out(self, _: web.Request) -> web.Response:
        answer = web.Response(status=303, headers={"Location": "/login"})
        answer.del_cookie(COOKIE)
        return answer

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in FILES:
            raise web.HTTPNotFound
        headers = {
            "Content-Type": FILES[name],
            "Cache-Control": "public, max-age=31536000, immutable",
        }
        return web.FileResponse(STATIC / name, headers=headers)
