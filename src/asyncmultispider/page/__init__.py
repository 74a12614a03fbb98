"""Pages: a lazy view of a response."""

from asyncmultispider.page.facts import Findings
from asyncmultispider.page.follow import Follow
from asyncmultispider.page.outlier import is_outlier
from asyncmultispider.page.page import Page

__all__ = ["Findings", "Follow", "Page", "is_outlier"]
