"""All connections of a server: how many there may be, and which one makes room for a new one.

A connection on which no request is being worked on can be closed at little cost. So a full server does not turn a newcomer away
but closes such a connection: one of the address that has most, those that send a body last, and of the others the one that has
been as it is for longest. Whoever opens many connections takes room from himself, and a half-sent head does not outlast a
connection whose request has not been read yet. A few connections are kept for probes: they alone are served while
requests occupy all others.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from itertools import count
from typing import Final, Literal, Protocol, TypeAlias

from epf.service.operations.connection_states import STATES, State

Full: TypeAlias = Literal["server", "address"]

Ranks: TypeAlias = Sequence[Sequence[State]]
DISPENSABLE: Final[Ranks] = (("idle", "waiting"), ("body",))
"""States of connections that make room, in this order."""
BODIES: Final[Ranks] = (("body",),)

MAX_FOR_PROBES: Final = 32
PREFIX_BITS: Final = 64
"""Whoever has an IPv6 address usually has all that begin with the same bits."""


class Member(Protocol):
    """One connection."""

    def give_way(self) -> None:
        """Leave and close at once, to make room."""


@dataclass(eq=False, slots=True)
class _Address:
    """The connections of one address by state, in the order in which they entered it, and those with a request."""

    members: dict[State, dict[Member, int]] = field(default_factory=lambda: {state: {} for state in STATES})
    requests: set[Member] = field(default_factory=set)

    def __len__(self) -> int:
        return sum(map(len, self.members.values()))

    def oldest(self, newcomer: Member, ranks: Ranks) -> Member | None:
        """The first connection in the states of the first rank that has any, the newcomer excepted."""
        for states in ranks:
            firsts = (next((m for m in self.members[state].items() if m[0] is not newcomer), None) for state in states)
            found = min((first for first in firsts if first is not None), key=lambda first: first[1], default=None)
            if found is not None:
                return found[0]
        return None


class Crowd:
    """Counts connections and requests, and makes room for new ones.

    Args:
        max_connections: maximum number of connections.
        max_per_address: maximum number of connections of one address; None sets no limit of its own.
    """

    def __init__(self, max_connections: int, max_per_address: int | None) -> None:
        self.max_connections = max_connections
        self._max_per_address = max_per_address
        self._addresses: dict[Hashable, _Address] = {}
        self._places: dict[Member, tuple[Hashable, State]] = {}
        self._n_requests = 0
        self._n_moves = count()

    def n(self, state: State) -> int:
        """Number of connections in a state."""
        return sum(len(address.members[state]) for address in self._addresses.values())

    def enter(self, member: Member, address: Hashable) -> Full | None:
        """Add a new connection, which is idle, and make room for it. Returns what is full if nothing can make room."""
        group = self._addresses.setdefault(address, _Address())
        group.members["idle"][member] = next(self._n_moves)
        self._places[member] = (address, "idle")
        if self._max_per_address is not None and len(group) > self._max_per_address:
            if not _gives_way(group.oldest(member, DISPENSABLE)):
                return "address"
        elif len(self._places) > self.max_connections and not _gives_way(self._dispensable(member, DISPENSABLE)):
            return "server"
        return None

    def begin(self, member: Member) -> Full | None:
        """Add the request of a connection and make room for it. Returns what is full if nothing can make room."""
        if member not in self._places:
            return None
        group = self._addresses[self._places[member][0]]
        if self._max_per_address is not None and len(group.requests) >= for_requests(self._max_per_address):
            if not _gives_way(group.oldest(member, BODIES)):
                return "address"
        elif self._n_requests >= for_requests(self.max_connections) and not _gives_way(self._dispensable(member, BODIES)):
            return "server"
        group.requests.add(member)
        self._n_requests += 1
        return None

    def end(self, member: Member) -> None:
        """Remove the request of a connection, if it has one."""
        if member in self._places:
            group = self._addresses[self._places[member][0]]
            self._n_requests -= member in group.requests
            group.requests.discard(member)

    def move(self, member: Member, state: State) -> None:
        """Note the new state of a connection; it is now the last to have entered it."""
        if member in self._places:
            address, before = self._places[member]
            members = self._addresses[address].members
            del members[before][member]
            members[state][member] = next(self._n_moves)
            self._places[member] = (address, state)

    def leave(self, member: Member) -> None:
        """Remove a connection; a second call does nothing."""
        if member in self._places:
            self.end(member)
            address, state = self._places.pop(member)
            group = self._addresses[address]
            del group.members[state][member]
            if not len(group):
                del self._addresses[address]

    def _dispensable(self, newcomer: Member, ranks: Ranks) -> Member | None:
        """The connection that makes room: of the address that has most."""
        found = [(len(group), group.oldest(newcomer, ranks)) for group in self._addresses.values()]
        return max(((n, member) for n, member in found if member is not None), key=lambda pair: pair[0], default=(0, None))[1]


def for_requests(n_connections: int) -> int:
    """Number of connections on which anything but probes may be worked on at the same time."""
    return n_connections - min(MAX_FOR_PROBES, n_connections // 4)


def address_of(host: str | None) -> Hashable:
    """What counts as one address: an IPv4 address, the first half of an IPv6 address, None for a local socket."""
    if not host:
        return None
    address = ip_address(host.partition("%")[0])
    if not isinstance(address, IPv6Address):
        return address
    return address.ipv4_mapped or ip_network((address, PREFIX_BITS), strict=False).network_address


def _gives_way(member: Member | None) -> bool:
    if member is not None:
        member.give_way()
    return member is not None
