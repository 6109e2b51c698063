"""Names of roles, and how they are written in SQL."""

from dataclasses import dataclass

from vigilpay.database_roles.rights import APPLICATION, WEB, WORKER

LONGEST_BYTES = 63


class RoleNameError(Exception):
    """A name that no role can have, or that two roles would share."""


@dataclass(frozen=True)
class Names:
    """The role of each process. Without an ``owner`` the tables stay with the role that has them."""

    web: str
    worker: str
    application: str
    owner: str = ""

    def __post_init__(self) -> None:
        given = [name for name in (self.web, self.worker, self.application, self.owner) if name]
        for name in given:
            if len(name.encode()) > LONGEST_BYTES or not name.isprintable() or name == "public":
                raise RoleNameError(f"{name!r} is no name for a role.")
        if len(set(given)) < len(given):
            raise RoleNameError("Each of the roles needs a name of its own.")

    def of(self, role: str) -> str:
        return {WEB: self.web, WORKER: self.worker, APPLICATION: self.application}[role]


def quoted(name: str) -> str:
    """An identifier."""
    return '"{}"'.format(name.replace('"', '""'))


def literal(text: str) -> str:
    return "'{}'".format(text.replace("'", "''"))
