"""Pages: a lazy view of a response."""

from asyncmultispider.page.page import Page

__all__ = ["Page"]
