"""Who stands behind a client: beneficial owners, entities blocked through their owners, and groups of related clients.

Shares are exact fractions; a share of exactly the line counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from domain.errors import OwnershipNotUsable

HOLDINGS_MAX: Final = 10_000
"""More holdings behind one client are a list of shareholders, not a structure; ask for those above the line."""

ENTITIES_MAX: Final = 100
"""More entities between a client and its owners are refused: solved exactly, that many cross-holdings take seconds."""


@dataclass(frozen=True, slots=True)
class Holding:
    """``owner`` holds this share of ``owned``."""

    owner: str
    owned: str
    share: Fraction


@dataclass(frozen=True, slots=True)
class BeneficialOwners:
    """Who ultimately owns, or else controls, a client.

    ``shares`` are those of every person found, ``owners`` those to be identified and on which ``basis``; ``opaque`` are
    owners at or above the line whose own owners are not known, and ``loops`` the entities that own one another.
    """

    target: str
    shares: Mapping[str, Fraction]
    owners: tuple[str, ...]
    basis: Literal["ownership", "control", "senior_manager", "nobody"]
    opaque: tuple[str, ...]
    loops: tuple[str, ...]
    sentence: str


def beneficial_owners(
    target: str,
    holdings: Iterable[Holding],
    persons: frozenset[str],
    line: Fraction,
    *,
    controllers: Sequence[str] = (),
    senior_managers: Sequence[str] = (),
) -> BeneficialOwners:
    """Multiply shares through every path from a person to ``target`` and sum over the paths.

    Entities that own one another are paths without end; their shares are a geometric series, summed exactly, so that
    an entity's holding in itself is credited to whoever owns the rest of it. Where nobody reaches the line, those in
    control are named, and failing them the senior managers.

    Raises
    ------
    OwnershipNotUsable
        A share is not between nothing and all, owners hold more than all of an entity, or the structure is too large.
    """
    held = _shares_by_owned(holdings)
    reached = _owners_reaching(target, held, persons)
    into = {owned: dict(held[owned]) for owned in reached if owned in held and owned not in persons}
    entities = [name for name in into if name != target]
    if len(entities) > ENTITIES_MAX:
        raise OwnershipNotUsable(
            f"The ownership of {target} must run through at most {ENTITIES_MAX} entities, but runs through "
            f"{len(entities)}. Nothing was decided; enter those that matter to the line of {float(line):.0%}."
        )
    loops = _loops(into)
    final = _without_entities(target, into, entities)
    shares = {person: share for person, share in sorted(final.items()) if person in persons}
    unknown = tuple(name for name, share in sorted(final.items()) if name not in persons and share >= line)
    owners = tuple(person for person, share in shares.items() if share >= line)
    basis: Literal["ownership", "control", "senior_manager", "nobody"] = "ownership"
    if not owners:
        owners = tuple(controllers) or tuple(senior_managers)
        basis = "control" if controllers else "senior_manager" if senior_managers else "nobody"
    sentence = _ownership_sentence(target, shares, owners, basis, unknown, loops, line)
    return BeneficialOwners(target, shares, owners, basis, unknown, loops, sentence)


def _shares_by_owned(holdings: Iterable[Holding]) -> dict[str, dict[str, Fraction]]:
    """Holdings by what is owned; two holdings of one owner in one entity are one larger one."""
    held: dict[str, dict[str, Fraction]] = defaultdict(dict)
    for count, holding in enumerate(holdings, 1):
        if count > HOLDINGS_MAX:
            raise OwnershipNotUsable(
                f"A structure must have at most {HOLDINGS_MAX:,} holdings. Nothing was decided; enter the larger ones."
            )
        if not 0 < holding.share <= 1:
            raise OwnershipNotUsable(
                f"{holding.owner} must hold more than nothing and at most all of {holding.owned}, but holds "
                f"{float(holding.share):.4%}. Nothing was decided; correct the holding."
            )
        before = held[holding.owned].get(holding.owner, Fraction(0))
        held[holding.owned][holding.owner] = before + holding.share
    for owned, owners in held.items():
        if (total := sum(owners.values())) > 1:
            raise OwnershipNotUsable(
                f"The owners of {owned} must hold at most all of it, but hold {float(total):.4%} together. Nothing was "
                f"decided; correct the holdings."
            )
    return dict(held)


def _owners_reaching(
    target: str, held: Mapping[str, Mapping[str, Fraction]], persons: frozenset[str]
) -> dict[str, None]:
    """``target`` and everybody who owns of it through however many entities, in the order they are found."""
    reached, waiting = {target: None}, [target]
    while waiting:
        for owner in held.get(waiting.pop(), {}):
            if owner not in reached:
                reached[owner] = None
                if owner not in persons:
                    waiting.append(owner)
    return reached


def _without_entities(
    target: str, into: dict[str, dict[str, Fraction]], entities: Sequence[str]
) -> dict[str, Fraction]:
    """Shares in ``target`` after every entity between was replaced by its owners, one entity at a time.

    An entity that comes to own part of itself is owned by its other owners in proportion; one that owns all of itself
    has no other owner, and drops out.
    """
    into = {owned: dict(owners) for owned, owners in into.items()}
    for entity in entities:
        owners = _without_self(entity, into.pop(entity))
        for of in into.values():
            passed = of.pop(entity, None)
            if passed is not None:
                for owner, share in owners.items():
                    of[owner] = of.get(owner, Fraction(0)) + share * passed
    return _without_self(target, into.get(target, {}))


def _without_self(entity: str, owners: dict[str, Fraction]) -> dict[str, Fraction]:
    itself = owners.pop(entity, Fraction(0))
    return {} if itself == 1 else {owner: share / (1 - itself) for owner, share in owners.items()}


def _loops(into: Mapping[str, Mapping[str, Fraction]]) -> tuple[str, ...]:
    """Entities that own of themselves through others: what is left once nothing more can be taken off either end."""
    left = {name: {owner for owner in owners if owner in into} for name, owners in into.items()}
    while True:
        owning = {owner for owners in left.values() for owner in owners}
        ends = {name for name, owners in left.items() if not owners or name not in owning}
        if not ends:
            return tuple(sorted(left))
        left = {name: owners - ends for name, owners in left.items() if name not in ends}


def _ownership_sentence(
    target: str,
    shares: Mapping[str, Fraction],
    owners: Sequence[str],
    basis: str,
    opaque: Sequence[str],
    loops: Sequence[str],
    line: Fraction,
) -> str:
    if basis == "ownership":
        said = f"{', '.join(f'{name} with {float(shares[name]):.2%}' for name in owners)} own {target}"
    elif basis == "nobody":
        said = f"Nobody owns {float(line):.0%} of {target}, and neither control nor a senior manager is on file"
    else:
        role = "in control" if basis == "control" else "senior manager"
        said = f"Nobody owns {float(line):.0%} of {target}; {', '.join(owners)} is named as {role}"
    if opaque:
        said += f"; the owners of {', '.join(opaque)} are not known"
    if loops:
        said += f"; {', '.join(loops)} own one another, summed as a series"
    return f"{said}."


@dataclass(frozen=True, slots=True)
class BlockedEntity:
    """An entity blocked because blocked persons together own the line or more of it."""

    entity: str
    blocked_share: Fraction
    through: tuple[str, ...]


def blocked_entities(holdings: Iterable[Holding], blocked: frozenset[str], line: Fraction) -> dict[str, BlockedEntity]:
    """Every entity blocked through its owners: those blocked by this rule count as blocked, until nothing changes.

    An indirect share counts only through an entity that is blocked itself, and then it counts in full.
    """
    held = _shares_by_owned(holdings)
    owned_by: dict[str, set[str]] = defaultdict(set)
    for owned, owners in held.items():
        for owner in owners:
            owned_by[owner].add(owned)
    found: dict[str, BlockedEntity] = {}
    waiting = sorted(blocked)
    while waiting:
        for entity in sorted(owned_by[waiting.pop()]):
            if entity in blocked or entity in found:
                continue
            through = {o: share for o, share in held[entity].items() if o in blocked or o in found}
            if sum(through.values()) >= line:
                found[entity] = BlockedEntity(entity, sum(through.values(), Fraction(0)), tuple(sorted(through)))
                waiting.append(entity)
    # What was blocked early may have further blocked owners; the share told is the whole one.
    for entity in found:
        through = {o: share for o, share in held[entity].items() if o in blocked or o in found}
        found[entity] = BlockedEntity(entity, sum(through.values(), Fraction(0)), tuple(sorted(through)))
    return dict(sorted(found.items()))


def credit_groups(clients: Iterable[str], relations: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The group of each client, named for its first member: whoever is related, however far, is one credit risk."""
    parent = {client: client for client in clients}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for one, other in relations:
        for name in (one, other):
            parent.setdefault(name, name)
        first, second = sorted((root(one), root(other)))
        parent[second] = first
    return {client: root(client) for client in sorted(parent)}
