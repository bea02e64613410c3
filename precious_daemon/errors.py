"""Everything that can go wrong in a way the owner can mend. The command line and the web turn these into answers."""


class PreciousError(Exception):
    """Base of all expected errors: the message is a sentence for the owner, and nothing was changed."""

    exit_code = 1


class ConfigError(PreciousError):
    """A setting is unknown, of the wrong type or out of bounds."""

    exit_code = 2


class RootError(PreciousError):
    """A folder cannot be watched: absent, not a folder, unreadable, inside another root."""

    exit_code = 3


class LibraryLocked(PreciousError):
    """Another process has this library open for writing."""

    exit_code = 4


class DatabaseError(PreciousError):
    """A database is damaged, or was written by a newer version."""

    exit_code = 5


class NotFound(PreciousError):
    """There is no photo, suggestion, job or unit of that name."""

    exit_code = 6


class NotEnoughAnswers(PreciousError):
    """The owner has not yet answered enough for this: the message says how many are missing."""

    exit_code = 7


class ChildFailed(PreciousError):
    """A child process ended without a result."""

    exit_code = 8


class TrashRefused(PreciousError):
    """A step of the deletion protocol did not hold, so nothing was moved."""

    exit_code = 9


class CountNeeded(TrashRefused):
    """More photos than go at once by themselves: they go once the owner has typed `count`."""

    def __init__(self, message: str, count: int) -> None:
        super().__init__(message)
        self.count = count


class VoteFileError(PreciousError):
    """A votes file cannot be read."""

    exit_code = 10


class ServiceError(PreciousError):
    """The service cannot start, or cannot be reached."""

    exit_code = 11


class SignInRefused(PreciousError):
    """A name and a password do not go together, or the next try has to wait for `wait` seconds."""

    exit_code = 12

    def __init__(self, message: str, wait: float = 0.0) -> None:
        super().__init__(message)
        self.wait = wait


class OwnersOnly(PreciousError):
    """Only the owner's own profile may do this."""

    exit_code = 13


class UnreadablePhoto(PreciousError):
    """A file that looks like a photo cannot be decoded."""
