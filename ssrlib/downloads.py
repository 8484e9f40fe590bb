"""Archives of a data set: fetched, checked, unpacked; complete or not there at all."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Archive:
    """An archive at a stable address.

    Attributes
    ----------
    url : str
    checksum : str
        "md5:..." or "sha256:...", as published.
    """

    url: str
    checksum: str
