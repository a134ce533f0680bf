"""What can go wrong between Matinee and its lake.

- ``WarehouseError``: the root of all of them.
- ``WarehouseTableMissing``: the table was never built; the message says by what.
- ``WarehouseColumnsWrong``: a frame does not have the columns of the table it was meant for.
- ``WarehouseBusy``: other writers held the catalogue for longer than we wait.
- ``ExtensionMissing``: a DuckDB extension is not installed as a wheel.
"""

from __future__ import annotations


class WarehouseError(Exception):
    """Any failure of the warehouse."""


class WarehouseTableMissing(WarehouseError):
    """No such table in the lake, because what builds it has not run yet or the name is wrong."""


class WarehouseColumnsWrong(WarehouseError):
    """A frame and its table do not have the same columns."""


class WarehouseBusy(WarehouseError):
    """Another writer kept the catalogue locked through every retry."""


class ExtensionMissing(WarehouseError):
    """A DuckDB extension that the lake needs is not among the installed packages."""
