"""Frozen dataclasses to JSON and back: how a policy's options are saved, compared and hashed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, Union

from para.backbones import BACKBONES, BackboneConfig
from para.registry import did_you_mean


def config_to_dict(config: Any) -> dict[str, Any]:
    """A dataclass as JSON-ready values, nested dataclasses included; tuples become lists.

    Raises:
        ValueError: for a value that JSON cannot hold; it names the field.
    """
    return {f.name: _to_json(getattr(config, f.name), f.name) for f in fields(config)}


def _to_json(value: Any, where: str) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _to_json(getattr(value, f.name), f"{where}.{f.name}") for f in fields(value)}
    if isinstance(value, (tuple, list)):
        return [_to_json(item, where) for item in value]
    if isinstance(value, dict):
        return {str(key): _to_json(item, f"{where}.{key}") for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"option '{where}' holds a {type(value).__name__}, which JSON cannot; use numbers, text or tuples")


def config_from_dict(config_type: type, values: dict[str, Any]) -> Any:
    """The inverse of `config_to_dict`: lists become tuples and dicts become dataclasses where the field's type says so.

    Options that are absent take their defaults. Where a field allows several dataclasses, the first that knows all the
    given options is taken.

    Raises:
        ValueError: for an unknown option (with the nearest known one), a missing one, or a value of another type.
    """
    return _dataclass_from(config_type, values, config_type.__name__)


def changed_options(config: Any) -> dict[str, Any]:
    """The options that are not at their defaults, JSON-ready: equal before and after an option is added."""
    changed = {}
    for f in fields(config):
        value = getattr(config, f.name)
        default = f.default if f.default_factory is MISSING else f.default_factory()
        if value == default:
            continue
        nested = is_dataclass(value) and not isinstance(value, type)
        changed[f.name] = {"": type(value).__name__, **changed_options(value)} if nested else _to_json(value, f.name)
    return changed


def config_hash(values: dict[str, Any]) -> str:
    """12 hex digits that tell JSON-ready values apart; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]


def _dataclass_from(config_type: type, values: Any, where: str) -> Any:
    if not isinstance(values, dict):
        raise ValueError(f"{where} needs options by name; got {values!r}")
    known = {f.name: f for f in fields(config_type) if f.init}
    for name in values:
        if name not in known:
            raise ValueError(f"{where} has no option '{name}'{did_you_mean(name, known)}")
    for name, f in known.items():
        if name not in values and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f"{where} needs the option '{name}'; got {sorted(values)}")
    hints = typing.get_type_hints(config_type)
    return config_type(**{name: _from_json(hints[name], value, f"{where}.{name}") for name, value in values.items()})


def _from_json(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint == BackboneConfig:  # those too that were registered since it was written down
        return _union_from(tuple(entry.config_type for entry in BACKBONES.values()), value, where)
    if origin in (Union, types.UnionType):
        return _union_from(args, value, where)
    if is_dataclass(hint):
        return _dataclass_from(hint, value, where)
    if (origin or hint) is tuple:
        return _tuple_from(args, value, where)
    if (origin or hint) is dict and isinstance(value, dict):
        return {key: _from_json(args[1] if args else Any, item, f"{where}.{key}") for key, item in value.items()}
    if origin is Literal:
        if value not in args:
            raise ValueError(f"{where} is {value!r}{did_you_mean(str(value), map(str, args))}")
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, str, bool) and (type(value) is not hint):
        raise ValueError(f"{where} must be {hint.__name__}; got {value!r}")
    if hint is type(None) and value is not None:
        raise ValueError(f"{where} must be null; got {value!r}")
    return value


def _tuple_from(args: tuple, value: Any, where: str) -> tuple:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{where} must be a list; got {value!r}")
    if not args or args[-1] is Ellipsis:
        return tuple(_from_json(args[0] if args else Any, item, where) for item in value)
    if len(args) != len(value):
        raise ValueError(f"{where} must hold {len(args)} values; got {value!r}")
    return tuple(_from_json(hint, item, where) for hint, item in zip(args, value))


def _union_from(args: tuple, value: Any, where: str) -> Any:
    errors = []
    for hint in args:
        try:
            return _from_json(hint, value, where)
        except ValueError as error:
            errors.append((hint is type(None), -_n_accepted(hint, value), str(error)))
    # the complaint of the alternative that is not None and could do with most of the options tells most
    raise ValueError(min(errors, key=lambda error: error[:2])[2])


def _n_accepted(hint: Any, value: Any) -> int:
    """How many of the options by name `value` a dataclass would take."""
    if not is_dataclass(hint) or not isinstance(value, dict):
        return 0
    hints, n = typing.get_type_hints(hint), 0
    for name in value.keys() & hints.keys():
        with contextlib.suppress(ValueError):
            _from_json(hints[name], value[name], name)
            n += 1
    return n
