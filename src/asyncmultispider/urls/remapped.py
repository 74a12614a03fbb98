"""Characters of host names that IDNA maps otherwise since the parser's tables were made.

Those are of Unicode 15.0. Characters that are newer than that are in no name that it accepts.
Source: https://www.unicode.org/reports/tr46/, the changes of versions 15.1 and 16.0
"""

_IGNORED = (
    *(0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFFA0),
    *(*range(0x2061, 0x2064), *range(0x206A, 0x2070), *range(0x1D173, 0x1D17B)),
)

REMAPPED: dict[int, int | None] = {
    **dict.fromkeys(_IGNORED),
    **{0x10A0 + i: 0x2D00 + i for i in range(0x26)},  # Georgian capitals
    0x04C0: 0x04CF,
    0x1E9E: 0x00DF,  # the capital of the German sharp s
    0x2132: 0x214E,
    0x2183: 0x2184,
    0x2F868: 0x36FC,
    0x2F874: 0x5F53,
    0x2F91F: 0x243AB,
    0x2F95F: 0x7AEE,
    0x2F9BF: 0x45D7,
}
"""For `str.translate`."""
