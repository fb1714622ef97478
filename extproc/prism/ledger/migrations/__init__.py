"""The ledger's migrations, one module a step under ``versions``, run by Alembic."""
