"""The kill harness: `python -m tests.killed --kills 500 --seed N`.

Rounds of a virtual month of journeys, campaigns and mail in which workers die at every labelled
point and at random ones, then imports, bulk changes and exports. Without `--database` it starts a
PostgreSQL of its own and crashes that too. Prints the seed of every round first and one JSON
object last; ends with 1 if anything was lost, doubled, late or otherwise than in the undisturbed
run. `--weak` instead tries designs that are known to fail, and ends with 1 if one was not caught.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections import Counter
from typing import Any

from tests.killed.pieces import run_works
from tests.killed.places import Place, borrowed, own_cluster
from tests.killed.provider import STORM
from tests.killed.weak import WEAK
from tests.killed.world import Outbox, Year
from tests.killed.year import OURS, Disturbance, Run, Verdict, differences

ROUND = 250
"""So many kills at most in one round of the month."""
WORKS = 0.4
"""How much of a small number of kills goes to imports, changes and exports."""


def say(words: str) -> None:
    """A line for whoever watches."""
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


def months(place: Place, kills: int, seed: int, people: int) -> dict[str, Any]:
    """Rounds until so many workers died, each held against the undisturbed month."""
    name = f"{place.template}_month"
    app = place.app(name)
    calm = Run(app, Year(people), place.folder / "calm", Disturbance()).go()
    total, faults, restarts, messages = Counter[str](), list(calm.faults), 0, 0
    for number in range(100):
        wanted = min(kills - total.total(), ROUND)
        if wanted <= 0:
            break
        say(f"round {number + 1}: seed {seed + number}, {wanted} kills")
        place.fresh(name)
        done = Disturbance(
            seed + number, wanted, STORM, lambda: place.restart(name), 3, rude=True,
            known=frozenset(calm.labels), kills_so_far=dict(total),
        )  # fmt: skip
        found = Run(app, Year(people), place.folder / f"round-{number}", done).go()
        total += found.kills
        restarts, messages = restarts + found.restarts, messages + found.messages
        told = [f"seed {seed + number}: {fault}" for fault in wrong(found, calm)]
        say("\n".join(told) or f"{found.kills.total()} died, {found.restarts} restarts, no fault")
        faults += told
    place.drop(name)
    unkilled = sorted(set(calm.labels) - set(total))
    return {
        "kills": total.total(), "restarts": restarts, "messages": messages, "faults": faults,
        "labels": dict(sorted(total.items())), "unkilled": unkilled,
    }  # fmt: skip


def wrong(found: Verdict, calm: Verdict) -> list[str]:
    """Everything that is not as it should be after a disturbed run."""
    figures = {"lost": found.lost, "doubled": found.doubled, "in doubt overnight": found.late}
    told = [f"{number} {what}" for what, number in figures.items() if number]
    return [*told, *found.faults, *differences(calm, found)]


def weak(place: Place, seed: int) -> dict[str, Any]:
    """Every weak design with the figure that shows it, and ours as the last, which shows none."""
    name = f"{place.template}_weak"
    app, found = place.app(name), {}
    for number, (title, one) in enumerate({**WEAK, "ours": None}.items()):
        world = Outbox(days=(10 * number, 10 * number + 1))
        done = one.disturbance(seed, 6) if one else Disturbance(seed, 6, STORM)
        run = Run(app, world, place.folder / f"weak-{number}", done, one.design if one else OURS)
        verdict = run.go()
        figures = {name: getattr(verdict, name) for name in ("messages", "lost", "doubled", "late")}
        caught = figures[one.shows] > 0 if one else verdict.sound
        found[title] = {**figures, "kills": verdict.kills.total(), "caught": caught}
    place.drop(name)
    return found


def works(place: Place, kills: int, seed: int) -> dict[str, Any]:
    """The other work in the background, killed so often in all."""
    name = f"{place.template}_works"
    some = max(2, kills // 4 - 3)
    found = run_works(place.app(name, export_alone=100_000), seed, some)
    place.drop(name)
    return found


def harness(place: Place, options: argparse.Namespace) -> tuple[dict[str, Any], bool]:
    """What was found, and whether all is well."""
    begun = time.monotonic()
    if options.weak:
        found = weak(place, options.seed)
        return found, all(one["caught"] for one in found.values())
    others = works(place, min(int(options.kills * WORKS), 100), options.seed)
    killed = sum(work["kills"] for work in others.values())
    month = months(place, options.kills - killed, options.seed, options.people)
    kills = month["kills"] + killed
    faults = month["faults"] + [fault for work in others.values() for fault in work["faults"]]
    seconds = round(time.monotonic() - begun)
    found = {"kills": kills, "seconds": seconds, "month": month, "works": others}
    return found, not faults and kills >= options.kills


def main() -> int:
    """Run what the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m tests.killed", description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--people", type=int, default=24, help="in the virtual district")
    parser.add_argument("--database", help="a server to make databases on, instead of an own one")
    parser.add_argument("--template", help="an empty migrated database on it to copy")
    parser.add_argument("--weak", action="store_true", help="try the designs that must fail")
    options = parser.parse_args()
    say(f"seed {options.seed}")
    server = borrowed(options.database, options.template) if options.database else own_cluster()
    with server as place:
        found, well = harness(place, options)
    say(json.dumps(found))
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
