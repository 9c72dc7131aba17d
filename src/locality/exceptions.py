"""The errors of the library, in one place.

Every error states what was found, where, and what was expected; ``remedy`` says what to do next.
The tree::

    LocalityError
    ├── DataError       (also a ValueError)  a table, file or value that cannot be modeled
    ├── GraphError      a dependency graph that contradicts itself or the table
    ├── OptionError     (also a ValueError)  a parameter outside its permitted values
    ├── ModelCorrupt    a stored model that is damaged, incomplete or of another kind
    ├── OutputExists    a result that would overwrite something
    └── NotFitted       a fitted quantity asked for before fitting

Errors of lower libraries are translated at the border where they arise, with the cause kept
(``raise DataError(...) from error``). ``DataError`` and ``OptionError`` are ``ValueError`` as well,
because callers in the scientific Python world expect that type from invalid input.
"""

__all__ = [
    "DataError",
    "GraphError",
    "LocalityError",
    "ModelCorrupt",
    "NotFitted",
    "OptionError",
    "OutputExists",
]


class LocalityError(Exception):
    """Base of every error raised on purpose by this library.

    Parameters
    ----------
    message : str
        What was found, where, and what was expected.
    remedy : str, default ""
        What the reader can do about it.

    Attributes
    ----------
    message, remedy : str
        The two parts, for callers that print them apart.

    Examples
    --------
    >>> error = LocalityError("The table has no rows.", remedy="Pass at least one row.")
    >>> str(error)
    'The table has no rows. Pass at least one row.'
    >>> error.message, error.remedy
    ('The table has no rows.', 'Pass at least one row.')
    """

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.message, self.remedy)


def _restore(kind: type[LocalityError], message: str, remedy: str) -> LocalityError:
    """Rebuild an error that crossed a process border, the remedy included."""
    return kind(message, remedy=remedy)


class DataError(LocalityError, ValueError):
    """A table, file or value cannot be modeled as it is."""


class GraphError(LocalityError):
    """A dependency graph contradicts itself or does not fit the table."""


class OptionError(LocalityError, ValueError):
    """A parameter lies outside its permitted values."""


class ModelCorrupt(LocalityError):  # noqa: N818 - named after the state it reports
    """A stored model is damaged, incomplete or of another kind."""


class OutputExists(LocalityError):  # noqa: N818 - named after the state it reports
    """A result would overwrite something that is already there."""


class VersionConflict(LocalityError):  # noqa: N818 - named after the state it reports
    """A model has got another version since it was read, or is being written by somebody else."""


class NotFitted(LocalityError):  # noqa: N818 - named after the state it reports
    """A fitted quantity was asked for before fitting."""
