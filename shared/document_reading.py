"""Reading objects that somebody sent, so that everything wrong in them is named at once."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from shared.errors import Fault, Invalid
from shared.touchpoints import JsonObject, JsonValue

T = TypeVar("T")

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold *text*: it has no NUL and no lone surrogate."""
    return _UNSTORABLE.search(text) is None


class ObjectReading:
    """Reads the members of one object, and notes what is wrong with each.

    The methods return the default of a member that is absent, null or wrong; ``finish`` raises
    what was noted.
    """

    def __init__(self, path: str, document: JsonValue) -> None:
        self._path = path
        self._known: list[str] = []
        self.faults: list[Fault] = []
        self._is_object = isinstance(document, dict)
        self._members: JsonObject = document if isinstance(document, dict) else {}
        if not self._is_object:
            self.faults.append(Fault(path, "not_an_object", "must be an object"))

    def member(self, name: str, read: Callable[[JsonValue], T], default: T) -> T:
        """Return what *read* makes of a member; *read* raises ValueError to refuse it."""
        value = self._take(name)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as wrong:
            self.faults.append(Fault(self._place(name), "invalid_value", str(wrong)))
            return default

    def inner(self, name: str, read: "Callable[[ObjectReading], T]", default: T) -> T:
        """Return what *read* makes of a member that is an object itself."""
        value = self._take(name)
        if value is None:
            return default
        reading = ObjectReading(self._place(name), value)
        found = read(reading)
        self.faults.extend(reading.all_faults())
        return found

    def miss(self, name: str) -> None:
        """Note that the member *name* is not there, unless it is there and was refused."""
        if self._is_object and self._members.get(name) is None:
            self.faults.append(Fault(self._place(name), "missing", "must be given"))

    def all_faults(self) -> list[Fault]:
        """Return what was noted, and the members that nobody asked for."""
        unknown = [name for name in self._members if name not in self._known]
        right = f"is none of {', '.join(self._known)}"
        return [
            *self.faults,
            *(Fault(self._place(name), "unknown_field", right) for name in unknown),
        ]

    def finish(self, code: str) -> None:
        """Raise Invalid with *code* if anything is wrong."""
        faults = self.all_faults()
        if faults:
            told = "; ".join(f"{fault.path} {fault.message}" for fault in faults)
            raise Invalid(told, code=code, faults=faults)

    def _take(self, name: str) -> JsonValue:
        self._known.append(name)
        return self._members.get(name)

    def _place(self, name: str) -> str:
        return f"{self._path}.{name}" if self._path else name
