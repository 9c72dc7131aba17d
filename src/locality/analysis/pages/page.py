"""The page: plain data as one HTML file, in both languages, that loads nothing from anywhere.

Every fixed text is on the page twice, marked with its language, and a style shows one of the two.
Values reach the page escaped, and a content security policy forbids the browser any connection,
whatever the data hold.
"""

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version
from itertools import product
from typing import Any, TypeAlias

from locality.analysis.pages.figures import ANSWER_COLORS, library
from locality.analysis.pages.plain import Row
from locality.analysis.pages.words import LANGUAGES, Language, word
from locality.exceptions import LocalityError, OptionError

try:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup
except ImportError as error:
    raise LocalityError(
        f"The report as a page needs jinja2, which is missing ({error}).",
        remedy="Install it with: pip install 'locality[report]'.",
    ) from error

__all__ = ["Picture", "both", "number", "page", "spans"]

Picture: TypeAlias = Callable[[Row, Language], Any]
"""From content and language to a figure, or None if there is nothing to draw."""

_UNITS = (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0))
_BYTES = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


def page(
    kind: str,
    content: Row,
    language: Language,
    pictures: Mapping[str, Picture],
    terms: tuple[str, ...],
    **values: Any,
) -> bytes:
    """A page of any kind.

    Parameters
    ----------
    kind : str
        Of the page: the name of its template, and the prefix of its texts.
    content : mapping
        What is shown; the template knows it as ``found``. It has a ``title``.
    language : {"en", "ja"}
        Shown first.
    pictures : mapping of Picture
        By part of the page.
    terms : tuple of str
        That the glossary explains.
    **values
        Whatever else the template needs.

    Returns
    -------
    bytes
        HTML in UTF-8.

    Raises
    ------
    OptionError
        The language is unknown.
    """
    if language not in LANGUAGES:
        raise OptionError(
            f"language is {language!r}, expected one of {', '.join(map(repr, LANGUAGES))}."
        )
    figures: dict[Language, dict[str, Any]] = {spoken: {} for spoken in LANGUAGES}
    for spoken, (part, draw) in product(LANGUAGES, pictures.items()):
        figure = draw(content, spoken)
        if figure is not None:
            figures[spoken][part] = json.loads(figure.to_json())
    template = _environment().get_template(f"{kind}.html")
    text = template.render(
        found=content,
        kind=f"{kind}.kind",
        title={spoken: word(f"{kind}.title", spoken).format(**content) for spoken in LANGUAGES},
        language=language,
        t=both,
        version=version("locality"),
        colors=ANSWER_COLORS,
        figures=tuple(figures[language]),
        specifications=figures,
        library=Markup(library()),
        terms=terms,
        **values,
    )
    return text.encode("utf-8", "replace")


@cache
def _environment() -> Environment:
    """It remembers the templates that it has compiled."""
    environment = Environment(
        loader=PackageLoader("locality.analysis.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, seconds=_seconds, size=_size)
    return environment


def both(key: str, /, **values: Any) -> Markup:
    """A text in both languages, values escaped, and marked with their language."""
    return spans(lambda language: word(key, language).format(**values))


def spans(say: Callable[[Language], str]) -> Markup:
    """What is said in each language, escaped, and marked with it."""
    return Markup("").join(
        Markup('<span class="{0}" lang="{0}">{1}</span>').format(spoken, say(spoken))
        for spoken in LANGUAGES
    )


def number(value: float | None, form: str = ",.3f") -> str:
    """A number as text, a dash where there is none."""
    return "–" if value is None or not math.isfinite(value) else format(value, form)


def _seconds(value: float | None) -> Markup | str:
    """A time in a unit that suits it."""
    if value is None or not math.isfinite(value):
        return "–"
    for unit, length in _UNITS:
        if value >= 1.5 * length:
            return both(f"unit.{unit}", value=value / length)
    return both("unit.seconds", value=value)


def _size(value: float) -> str:
    """A number of bytes in a unit that suits it."""
    for unit, length in _BYTES:
        if value >= length:
            return f"{value / length:.3g} {unit}"
    return f"{value:.0f} B"
