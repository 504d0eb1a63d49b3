"""What reading an item brings to light: faults that refuse it, and flags that stay with it."""

from dataclasses import dataclass, field

from shared.acceptance.limits import MOST_FAULTS
from shared.acceptance.reasons import Reason
from shared.errors import Fault, Invalid


@dataclass(slots=True)
class Findings:
    """Collects the first faults, and each flag once, in the order in which they are found."""

    faults: list[Fault] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)

    def fault(self, path: str, reason: Reason, message: str) -> None:
        """Note what is wrong at *path*; *message* says what it must be."""
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(path, reason.value, message))

    def blames(self, member: str) -> bool:
        """Tell whether a fault of *member*, or of something in it, is noted."""
        return any(fault.path.partition(".")[0] == member for fault in self.faults)

    def flag(self, flag: str) -> None:
        """Note *flag* unless it is noted already."""
        if flag not in self.flags:
            self.flags.append(str(flag))

    def settle(self) -> None:
        """Go on only if nothing is wrong.

        Raises:
            Invalid: with all faults; its code and message are those of the first.
        """
        if self.faults:
            raise refusal(self.faults)


def refusal(faults: list[Fault]) -> Invalid:
    """Return the error for an item with *faults*, of which there is at least one."""
    first = faults[0]
    message = f"{first.path or 'the item'} {first.message}"
    return Invalid(message, code=first.code, faults=faults)
