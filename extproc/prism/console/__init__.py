"""The console: what the gateway decides, costs and is worth, as web pages.

Pages are made here, on the server, of the ledger and of what is live; a browser needs nothing
else. What belongs here: what is asked (``asking``), what each page shows, how it is drawn, who may
look (``access``), and the application that ``prism.serve`` puts on a listener of its own. Nothing
here is on the way of a request: questions run in threads of their own, a few at a time.
"""
