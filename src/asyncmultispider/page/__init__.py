"""Pages: a lazy view of a response."""

from asyncmultispider.page.page import Follow, Page

__all__ = ["Follow", "Page"]
