"""Sentences of mistakes as a Python caller reads them: with keywords where the command line has options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection
from functools import wraps
from typing import ParamSpec, TypeVar

from hw.util.errors import Spec2Error

Given = ParamSpec("Given")
Result = TypeVar("Result")

OPTION = re.compile(r"'spec2 [^']*'|(?<!\w)--([a-z]+(?:-[a-z]+)*)(?![\w-])")
"""A command in quotes, which stays as it is, or an option."""

RENAMED = {"data": "images"}
"""Keywords that are not called as their options are."""


def says_keywords(
    further: Callable[[], Collection[str]] = tuple,
) -> Callable[[Callable[Given, Result]], Callable[Given, Result]]:
    """Decorate a function whose mistakes are worded for the command of its name: in sentences of what it
    raises ``--stream-bits`` becomes ``stream_bits``, if it takes that keyword.

    further: names that its ``**`` takes, asked for when something was raised.
    """

    def decorate(call: Callable[Given, Result]) -> Callable[Given, Result]:
        @wraps(call)
        def said(*args: Given.args, **kwargs: Given.kwargs) -> Result:
            try:
                return call(*args, **kwargs)
            except Spec2Error as error:
                known = {*inspect.signature(call).parameters, *further()}
                error.args = tuple(_spelt(part, known) for part in error.args)
                raise

        return said

    return decorate


def _spelt(sentence: object, known: Collection[str]) -> object:
    """``sentence`` with the keywords that are ``known``."""

    def keyword(found: re.Match[str]) -> str:
        name = (found[1] or "").replace("-", "_")
        name = RENAMED.get(name, name)
        return name if name in known else found[0]

    return OPTION.sub(keyword, sentence) if isinstance(sentence, str) else sentence
