"""One guard of one view, whichever door it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..requirements import Requirement


class Door(StrEnum):
    """The ways to guard a view that can be seen from outside."""

    RULE = "rule"
    DECORATOR = "decorator"
    MIXIN = "mixin"
    METHOD = "method"
    PERMISSION = "permission"
    ADMIN_SITE = "admin site"
    MODEL_ADMIN = "model admin"


@dataclass(frozen=True, kw_only=True)
class Guard:
    """
    What stands before a view.

    ``name`` says which rule, method or admin action it is, ``only`` which HTTP methods
    lead to it at all, and ``own_when`` whether the project wrote the ``when`` that the
    requirement has.
    """

    door: Door
    requirement: Requirement
    name: str = ""
    only: frozenset[str] | None = None
    own_when: bool = True

    @property
    def label(self) -> str:
        """The door and the name, for people."""
        return f"{self.door} {self.name}".rstrip()

    @property
    def conditional(self) -> bool:
        """Whether ``when`` lets some requests of a user past."""
        return self.own_when and self.requirement.when is not None

    @property
    def methods(self) -> frozenset[str] | None:
        """The HTTP methods that are guarded; :obj:`None` stands for all."""
        asked = self.requirement.methods
        if self.only is None:
            return None if asked is None else frozenset(asked)
        return frozenset(filter(self.requirement.guards, self.only))

    def meets(self, other: Guard) -> bool:
        """Tell whether one request may come to both guards."""
        if self.methods is None or other.methods is None:
            return True
        return not self.methods.isdisjoint(other.methods)
