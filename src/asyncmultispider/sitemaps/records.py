"""The records of sitemaps and feeds: what each `url`, `sitemap`, `item` or `entry` holds."""

from collections.abc import Collection, Iterator

from asyncmultispider.sitemaps.markup import Tag, attribute, plain, tags

MAX_TAGS = 2_000_000
"""Tags that are looked at, two seconds' work: 50 MiB of honest tags are not more."""
_MAX_TEXT = 2**17  # bytes of a field; what is longer is no URL and no date

_FIELDS = frozenset(
    {
        *("loc", "lastmod", "changefreq", "priority"),
        *("link", "guid", "pubdate", "date", "updated", "published"),
    }
)


class Document:
    """A document and its records. `root` is the name of its first element, "" when it has none.

    `trouble` tells, when all was read, what is wrong with it as a whole.
    """

    def __init__(self, text: bytes) -> None:
        self.trouble: str | None = None
        self._tags = tags(text)
        first = next(self._tags, None)
        self.root = first.name if first and not first.closes else ""
        self._empty = first is not None and first.is_empty

    def records(self, names: Collection[str]) -> Iterator["Record"]:
        """The records of these names. The last one may be cut."""
        if not self._empty:
            self.trouble = f"it ends without </{self.root}>"
        record: Record | None = None
        for count, tag in enumerate(self._tags):
            if count >= MAX_TAGS:
                self.trouble = f"it has more than {MAX_TAGS} tags: the rest was not read"
                break
            if tag.closes and tag.name == self.root:
                self.trouble = None
            if record and record.read(tag):
                continue
            if record:
                yield record
            record = _begun(tag, names, record)
        if record:
            yield record


class Record:
    """One `url`, `sitemap`, `item` or `entry`: the texts of its own children, each child's first.

    Children of children are skipped, and those in another namespace than the record's own, told by
    the prefix: an image's `loc` is no page. A missing end tag costs a field, not the next record.
    """

    __slots__ = ("_depth", "_field", "_inner", "_prefix", "_text", "fields", "name", "opened")

    def __init__(self, opened: Tag) -> None:
        self.fields: dict[str, str] = {}
        self.opened = opened
        self.name = opened.name
        self._prefix = opened.prefix
        self._field: str | None = None
        self._text: list[bytes] = []
        self._depth = 0  # elements that are open, no fields
        self._inner = 0  # those in a field that are called like the record
        if about := attribute(opened.attributes, b"rdf:about"):
            self.fields["about"] = about

    def read(self, tag: Tag) -> bool:
        """Take the next tag. False when the record has ended with it, or before it."""
        if self._field or not self._depth:
            self._text.append(tag.text)
        if tag.closes:
            return self._close(tag)
        if tag.name == self.name and tag.prefix == self._prefix:
            self._inner += bool(self._field)
            return bool(self._field)
        if not self._depth and tag.name in _FIELDS:
            if tag.name == "loc" and tag.prefix == self._prefix and "loc" in self.fields:
                return False
            self._open(tag)
        elif not self._field:
            self._depth += not tag.is_empty
        return True

    def _open(self, tag: Tag) -> None:
        if tag.prefix != self._prefix and tag.name != "date":  # Dublin Core's, in feeds
            self._depth += not (tag.is_empty or self._field)
            return
        self._save()
        if tag.name == "link" and attribute(tag.attributes, b"rel") in (None, "alternate"):
            self._put("link", attribute(tag.attributes, b"href"))
        self._field = None if tag.is_empty else tag.name

    def _close(self, tag: Tag) -> bool:
        if tag.name == self.name and tag.prefix == self._prefix and not self._inner:
            self._save()
            return False
        if tag.name == self._field or not tag.name:
            self._save()
        elif self._field:
            self._inner -= tag.name == self.name and self._inner > 0
        else:
            self._depth -= self._depth > 0
        return True

    def _save(self) -> None:
        """The field ends; text outside of fields is the record's own."""
        text = b"".join(self._text)
        self._put(self._field or "", plain(text) if len(text) <= _MAX_TEXT else None)
        self._field, self._text, self._inner = None, [], 0

    def _put(self, field: str, value: str | None) -> None:
        if value:
            self.fields.setdefault(field, value)


def _begun(tag: Tag, names: Collection[str], ended: Record | None) -> Record | None:
    """The record that begins with this tag, where `ended` is the one before."""
    if tag.closes or tag.is_empty:
        return None
    if tag.name in names:
        return Record(tag)
    if ended is None:
        return None
    record = Record(ended.opened)  # a second <loc>: another record, that nobody announced
    record.read(tag)
    return record
