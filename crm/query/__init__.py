"""One query language: what is typed in the search box, saved, mailed to and exported."""

from crm.query.compiler import Compiled, compile_query, count_up_to, up_to
from crm.query.errors import QueryError, UnknownValue

__all__ = ["Compiled", "QueryError", "UnknownValue", "compile_query", "count_up_to", "up_to"]
