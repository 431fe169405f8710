"""What the watches have brought: every object of every job, as JSON text, and the job that each concerns. Pure.

It is a cache: it may be behind, and lacks what no watch selects. An object's version only ever rises here, so that news
that come late, twice or in another order do no harm; what was missed is put right by the next listing. Only what is
read of an object is held (kept.py), and an update that changes nothing of that wakes nobody.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from operator import attrgetter
from typing import NamedTuple

from reasoning_contract.api import JOB_LABEL

from .inputs import output_claim_of
from .kept import cut, is_read
from .kinds import CLAIM, EVENT, POD, TRAINING_JOB, Kind
from .model import Json, Key

_CLAIM_SOURCE = re.compile(r'"pvc://([^/"]+)')


class _Held(NamedTuple):
    """An object, as text: a fifth of what it takes as dictionaries, and nobody can change it by accident."""

    uid: str
    version: int
    text: bytes
    """All that is kept of it but its version."""


class Store:
    """Objects by kind and name.

    Parameters
    ----------
    changed
        Called with the key of a job that something new is known of.
    """

    def __init__(self, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._things: dict[Kind, dict[Key, _Held]] = defaultdict(dict)
        self._job_of: dict[str, Key] = {}
        self._pods: dict[Key, set[Key]] = defaultdict(set)
        self._events: dict[str, dict[Key, _Held]] = defaultdict(dict)
        self._claims_of: dict[Key, set[Key]] = {}
        self._claimed_by: dict[Key, set[Key]] = defaultdict(set)
        self._unwatched: set[tuple[Kind, Key]] = set()

    def put(self, kind: Kind, thing: Json) -> None:
        """Take in an object as a watch or a request brought it, unless something as new is known already."""
        if not is_read(kind, thing):
            return
        name, held = _name(thing), _hold(kind, thing)
        things = self._events[_about(thing)] if kind is EVENT else self._things[kind]
        before = things.get(name)
        if before and before.version >= held.version:
            return
        things[name] = held
        self._unwatched.discard((kind, name))
        if before and before.text == held.text:
            if kind is EVENT and any(before.version < other.version < held.version for other in things.values()):
                self._tell(kind, thing)  # of two that alternate, the last is believed
            return
        if kind is not EVENT:
            if before:
                self._unindex(kind, name, before)
            if before and before.uid != held.uid:
                self._events.pop(before.uid, None)
            self._index(kind, name, held, thing)
        self._tell(kind, thing)

    def put_unwatched(self, kind: Kind, thing: Json) -> None:
        """Take in an object that no watch selects: whoever looks at it has to read it."""
        self.put(kind, thing)
        self._unwatched.add((kind, _name(thing)))

    def remove(self, kind: Kind, thing: Json) -> None:
        """Take out an object that was deleted, unless another has taken its name."""
        name = _name(thing)
        if kind is EVENT:
            self._events.get(_about(thing), {}).pop(name, None)
            return
        held = self._things[kind].get(name)
        if held and (held.uid == thing["metadata"]["uid"] or held.version < _version(thing)):
            self._take_out(kind, name)

    def gone(self, kind: Kind, name: Key) -> None:
        """Take out an object that a request did not find."""
        if name in self._things[kind]:
            self._take_out(kind, name)

    def prune(self, kind: Kind, namespace: str, names: Collection[Key], version: int) -> None:
        """Take out what a listing did not have, of a namespace or, without one, of all: its deletion was missed.

        Parameters
        ----------
        kind, namespace
            What was listed.
        names
            What the listing had.
        version
            Version of the listing; what is newer stays.
        """
        held = [(name, each) for name, each in self._things[kind].items() if namespace in ("", name.namespace)]
        for name, each in held:
            if name not in names and each.version <= version and (kind, name) not in self._unwatched:
                self._take_out(kind, name)

    def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return an object; None if none is known."""
        held = self._things[kind].get(Key(namespace, name))
        return _read(kind, held) if held else None

    def version(self, kind: Kind, name: Key) -> int:
        """Return the version of an object that is known; 0 if none is."""
        held = self._things[kind].get(name)
        return held.version if held else 0

    def is_watched(self, kind: Kind, name: Key) -> bool:
        """Whether a change of an object, or that it is gone, will be told."""
        return (kind, name) not in self._unwatched

    def pods(self, key: Key) -> tuple[Json, ...]:
        """Return the pods that carry a job's label, oldest first: who made them is not looked at."""
        found = [_read(POD, self._things[POD][name]) for name in self._pods.get(key, ())]
        return tuple(sorted(found, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"])))

    def events(self, uids: Collection[str]) -> tuple[Json, ...]:
        """Return the events about some objects, oldest first."""
        found = [held for uid in uids for held in self._events.get(uid, {}).values()]
        return tuple(_read(EVENT, held) for held in sorted(found, key=attrgetter("version")))

    def _index(self, kind: Kind, name: Key, held: _Held, thing: Json) -> None:
        if kind is TRAINING_JOB:
            self._claims_of[name] = {Key(name.namespace, claim) for claim in _claims(thing, held.text)}
            for claim in self._claims_of[name]:
                self._claimed_by[claim].add(name)
        elif job := thing["metadata"].get("labels", {}).get(JOB_LABEL):
            self._job_of[held.uid] = key = Key(name.namespace, job)
            if kind is POD:
                self._pods[key].add(name)

    def _take_out(self, kind: Kind, name: Key) -> None:
        held = self._things[kind].pop(name)
        self._unwatched.discard((kind, name))
        self._tell(kind, _read(kind, held))
        self._events.pop(held.uid, None)
        self._unindex(kind, name, held)

    def _unindex(self, kind: Kind, name: Key, held: _Held) -> None:
        key = self._job_of.pop(held.uid, None)
        if kind is POD and key in self._pods:
            self._pods[key].discard(name)
            if not self._pods[key]:
                del self._pods[key]
        for claim in self._claims_of.pop(name, ()) if kind is TRAINING_JOB else ():
            self._claimed_by[claim].discard(name)
            if not self._claimed_by[claim]:
                del self._claimed_by[claim]

    def _tell(self, kind: Kind, thing: Json) -> None:
        for key in set(self._concerned(kind, thing)):
            self._changed(key)

    def _concerned(self, kind: Kind, thing: Json) -> Iterator[Key]:
        name = _name(thing)
        if kind is TRAINING_JOB:
            yield name
        if kind is CLAIM:
            yield from self._claimed_by.get(name, ())
        if kind is EVENT and (key := self._job_of.get(_about(thing))):
            yield key
        if job := thing["metadata"].get("labels", {}).get(JOB_LABEL):
            yield Key(name.namespace, job)


def _name(thing: Json) -> Key:
    return Key(thing["metadata"]["namespace"], thing["metadata"]["name"])


def _about(event: Json) -> str:
    """Return the UID of what an event is about; empty where it is not told."""
    uid: str = event["involvedObject"].get("uid", "")
    return uid


def _version(thing: Json) -> int:
    return int(thing["metadata"]["resourceVersion"])


def _hold(kind: Kind, thing: Json) -> _Held:
    kept = cut(kind, thing)
    del kept["metadata"]["resourceVersion"]
    text = json.dumps(kept, separators=(",", ":"), ensure_ascii=False).encode()
    return _Held(thing["metadata"]["uid"], _version(thing), text)


def _read(kind: Kind, held: _Held) -> Json:
    thing: Json = {"apiVersion": kind.api_version, "kind": kind.name, **json.loads(held.text)}
    thing["metadata"]["resourceVersion"] = str(held.version)
    return thing


def _claims(job: Json, text: bytes) -> set[str]:
    """Return the claims that a job names, of a spec that may not be valid."""
    cache = job["spec"].get("storage", {}).get("cacheClaim")
    return {output_claim_of(job), *filter(None, [cache]), *_CLAIM_SOURCE.findall(text.decode())}
