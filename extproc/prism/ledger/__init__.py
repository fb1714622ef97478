"""The ledger: every decision with its outcome, cost, reasons and feedback, in a database.

SQLite by default, PostgreSQL by its URL. It holds no prompt text. What belongs here: the tables
and their migrations, what is written in batches off the request path, what is thrown away, and
what is read. SQLAlchemy is named nowhere else.
"""
