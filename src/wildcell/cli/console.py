"""A console on which text of others is only text."""

from typing import Any

from rich.console import Console
from rich.text import Text

from wildcell.cli.progress import plain


class PlainConsole(Console):
    """A console that reads no markup and shows characters that steer a terminal as escapes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "highlight": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as it is shown."""
        return super().render_str(plain(text), **options)
