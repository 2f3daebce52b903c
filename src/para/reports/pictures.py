"""The pictures of a report on their way into the page and, as files, into `figures/`."""

from __future__ import annotations

import base64
from html import escape

from para.reports.style import inline_svg


class Pictures:
    """Makes elements of the page, and keeps what is to be a file as well."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        """Name in `figures/` -> content."""

    def figure(self, name: str, svg: str | None, caption: str, description: str) -> str:
        """A plot with its caption (HTML) as a `<figure>`; empty where there is no plot."""
        if svg is None:
            return ""
        self.files[f"{name}.svg"] = svg.encode()
        inline = inline_svg(svg, name, escape(description))
        return f"<figure>{inline}<figcaption>{caption}</figcaption></figure>"


def data_uri(content: bytes, kind: str) -> str:
    """The content as an address that needs no network; `kind` is its media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
