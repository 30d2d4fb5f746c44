"""The libraries of the extra `report`, or word of what to install."""

from wildcell.errors import MissingExtraError

try:
    import altair as alt
    import jinja2
    import vl_convert
except ImportError as error:
    raise MissingExtraError("The report", "report") from error

__all__ = ["alt", "jinja2", "vl_convert"]
