"""Keeps the expressions of a table: spelling one costs a call to the JVM for each of its nodes."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")
_MOST = 64


def built_once(build: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """Keep what a function makes of the same table, shape or names.

    Expressions name their columns and belong to no frame, so that one serves every batch. Arguments
    are the same when they are the same object, or equal values of a type that can be hashed.
    """
    kept: OrderedDict[tuple[Hashable, ...], tuple[object, _Made]] = OrderedDict()
    lock = threading.Lock()

    @functools.wraps(build)
    def kept_or_built(*args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        given = (*args, *kwargs.values())
        key = tuple(_identity(value) for value in given)
        with lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key][1]
        made = build(*args, **kwargs)
        with lock:
            # The arguments are kept too: an object that is gone could lend its identity to another.
            kept[key] = (given, made)
            if len(kept) > _MOST:
                kept.popitem(last=False)
        return made

    return kept_or_built


def _identity(value: object) -> Hashable:
    try:
        hash(value)
    except TypeError:
        return id(value)
    return type(value), value
