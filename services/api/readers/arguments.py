"""Arguments of statements that are put together from parts; nobody's text becomes SQL."""


class Arguments:
    """The values of one statement, each named by its place.

    Args:
        taken: How many values the statement has before these.
    """

    def __init__(self, taken: int = 0) -> None:
        self._taken = taken
        self.values: list[object] = []

    def add(self, value: object, kind: str) -> str:
        """Take *value* in; return what stands for it in the statement, cast to the type *kind*."""
        self.values.append(value)
        return f"${self._taken + len(self.values)}::{kind}"
