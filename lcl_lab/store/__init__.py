"""Records on disk: append-only, atomic, resumable and with provenance; DuckDB reads them.

A study opens a `Run`, commits the records of one cell after the other, and finishes with its `Provenance`. After a
kill, opening the same run again shows which cells are missing. `read_records` returns the records of all runs, and
`connect` makes them available to SQL.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
