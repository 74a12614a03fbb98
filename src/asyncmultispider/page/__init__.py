"""Pages: a lazy view of a response."""

from asyncmultispider.page.facts import Findings
from asyncmultispider.page.outlier import is_outlier
from asyncmultispider.page.page import Follow, Page

__all__ = ["Findings", "Follow", "Page", "is_outlier"]
