"""Garbage: files of a model folder that no version needs, and old versions that are given up."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from locality.data.atomic import flush_names
from locality.exceptions import OptionError
from locality.store.store import ALIASES, BLOBS, PARTIAL, VERSIONS, read_manifest, version_file
from locality.store.versions import aliases_of, numbers_of, writing

__all__ = ["Garbage", "collect_garbage"]


@dataclass(frozen=True)
class Garbage:
    """What was, or would be, deleted.

    Parameters
    ----------
    files : tuple of str
        Within the folder.
    n_bytes : int
    versions : tuple of int
        Versions given up.
    """

    files: tuple[str, ...]
    n_bytes: int
    versions: tuple[int, ...]


def collect_garbage(
    path: str | PathLike[str], *, keep: int | None = None, dry_run: bool = False
) -> Garbage:
    """Delete what no version needs.

    Parameters
    ----------
    path : path
    keep : int, optional
        Give up the oldest versions beyond so many; those that are served or have an alias stay.
    dry_run : bool, default False
        Only tell.
    """
    folder = Path(path)
    if keep is not None and keep < 1:
        raise OptionError(f"keep must be at least 1, found {keep}.")
    with writing(folder):
        served = read_manifest(folder)
        numbers = sorted(numbers_of(folder))
        held = {served.version, *aliases_of(folder).values()}
        lost = [] if keep is None else [n for n in numbers[:-keep] if n not in held]
        needed = {blob.file_name for blob in served.blobs}
        for number in set(numbers) - set(lost):
            needed |= {blob.file_name for blob in read_manifest(folder, number).blobs}
        files = [folder / VERSIONS / version_file(number) for number in lost]
        files += [f for f in (folder / BLOBS).iterdir() if f.name not in needed]
        for inside in (folder, folder / VERSIONS, folder / ALIASES):
            if inside.is_dir():
                files += [f for f in inside.iterdir() if PARTIAL.fullmatch(f.name)]
        n_bytes = sum(file.stat().st_size for file in files)
        if not dry_run:  # versions first: a manifest never names a blob that is gone
            for file in files:
                file.unlink()
            for inside in (folder, folder / VERSIONS, folder / BLOBS):
                if inside.is_dir():
                    flush_names(inside)
    names = tuple(str(file.relative_to(folder)) for file in files)
    return Garbage(names, n_bytes, tuple(lost))
