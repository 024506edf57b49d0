"""One query language: what is typed in the search box, saved, mailed to and exported."""

from crm.query.compiled import Compiled, count_up_to, up_to
from crm.query.errors import QueryError, UnknownValue
from crm.query.kept import compile_query

__all__ = ["Compiled", "QueryError", "UnknownValue", "compile_query", "count_up_to", "up_to"]
