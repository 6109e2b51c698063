"""Made-up customers that look like a bank's: same spreads, same dependencies, no real person's data.

Drawn in blocks that each have a random stream of their own, so that the first customers of a large portfolio are
those of a small one by the same seed.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from customers.ml_service.schema import FEATURES, GENDERS, GEOGRAPHIES

Array = NDArray[Any]
Columns = Mapping[str, Array]

BLOCK_ROWS = 10_000
# What a block's streams are for; a seed is [the user's, this, the block's number].
VALUES, NAMES = range(2)

FRANCE, GERMANY, SPAIN = range(len(GEOGRAPHIES))
FEMALE, MALE = range(len(GENDERS))

# Most tables depend on one of three age groups: below 42, 42 to 60, 61 and more.
AGE_GROUPS = (42, 61)
COUNTRIES = np.array([[0.517, 0.233, 0.250], [0.459, 0.293, 0.248], [0.486, 0.240, 0.274]])
FEMALES = np.array([0.447, 0.488, 0.453])
ZERO_BALANCES = np.array([0.494, 0.465, 0.460])  # outside Germany, where no customer has one
# Shares of 1, 2, 3 and 4 products, by age group.
PRODUCTS_WITH_MONEY = np.array(
    [[0.730, 0.257, 0.009, 0.004], [0.734, 0.219, 0.034, 0.013], [0.755, 0.195, 0.044, 0.006]]
)
PRODUCTS_WITHOUT = np.array([[0.215, 0.763, 0.021, 0.001], [0.358, 0.586, 0.046, 0.010], [0.264, 0.696, 0.040, 0.0]])
PRODUCTS_GERMANY = np.array([[0.494, 0.470, 0.030, 0.006], [0.584, 0.344, 0.055, 0.017], [0.558, 0.395, 0.047, 0.0]])
# The share of active members rises in old age; the first band ends below 35.
ACTIVE_FROM_AGE = (35, 42, 48, 54, 60, 70)
ACTIVES = np.array([0.512, 0.487, 0.458, 0.50, 0.615, 0.77, 0.91])
SMALLEST_BALANCE = 4000.0

SYLLABLES = (
    "Al Bar Bel Cor Dan Del Fer Gal Hal Jor Kel Lan Mar Nor Or Per Quin Ros Sal Tar Ul Ver Wen Zor",
    "a ba de do ga i la le li lo ma mi na ne ni o ra re ro sa ta te ti va",
    "bert dorf dell elli enko ez gard hauer ini lund mann mond nard quet rath ridge sson tier ville witz",
)


def generate(count: int, seed: int) -> Iterator[tuple[Any, ...]]:
    """Yield ``count`` customers as tuples of Python values in the order of ``FEATURES``."""
    columns = ([block[field].tolist() for field in FEATURES] for block in blocks(count, seed))
    return chain.from_iterable(zip(*lists, strict=True) for lists in columns)


def generate_named(count: int, seed: int, first_id: int) -> Iterator[tuple[Any, ...]]:
    """As ``generate``, with a customer id and a made-up surname in front."""
    named = zip(surnames(count, seed), generate(count, seed), strict=True)
    return ((customer_id, name, *values) for customer_id, (name, values) in enumerate(named, start=first_id))


def surnames(count: int, seed: int) -> Iterator[str]:
    """Yield ``count`` made-up surnames. They repeat, as surnames do."""
    for block, size in block_sizes(count):
        rng = default_rng([seed, NAMES, block])
        parts = [rng.choice(syllables.split(), BLOCK_ROWS)[:size].tolist() for syllables in SYLLABLES]
        yield from map("".join, zip(*parts, strict=True))


def block_sizes(count: int) -> Iterator[tuple[int, int]]:
    """The blocks' numbers, and how many rows of each are wanted."""
    for block, start in enumerate(range(0, count, BLOCK_ROWS)):
        yield block, min(BLOCK_ROWS, count - start)


def blocks(count: int, seed: int) -> Iterator[Columns]:
    """Yield ``count`` customers in blocks of parallel columns."""
    for block, size in block_sizes(count):
        columns = draw(default_rng([seed, VALUES, block]), BLOCK_ROWS)
        yield {field: column[:size] for field, column in columns.items()}


# --- one block --------------------------------------------------------------------------------------------------------


def draw(rng: Generator, size: int) -> Columns:
    age = draw_ages(rng, size)
    group = np.digitize(age, AGE_GROUPS)
    country = pick(rng, COUNTRIES[group])
    balance = draw_balances(rng, country, ZERO_BALANCES[group])
    elsewhere: Array = np.where((balance > 0)[:, None], PRODUCTS_WITH_MONEY[group], PRODUCTS_WITHOUT[group])
    products = np.where((country == GERMANY)[:, None], PRODUCTS_GERMANY[group], elsewhere)
    return {
        "credit_score": np.clip(np.rint(rng.normal(651, 97, size)), 350, 850).astype(int),
        "geography": np.array(GEOGRAPHIES)[country],
        "gender": np.where(rng.random(size) < FEMALES[group], GENDERS[FEMALE], GENDERS[MALE]),
        "age": age,
        "tenure": np.rint(rng.uniform(0, 10, size)).astype(int),
        "balance": balance,
        "num_of_products": 1 + pick(rng, products),
        "has_cr_card": rng.random(size) < 0.705,
        "is_active_member": rng.random(size) < ACTIVES[np.digitize(age, ACTIVE_FROM_AGE)],
    }


def pick(rng: Generator, shares: Array) -> Array:
    """Draw one column number per row of ``shares``, each row adding up to 1."""
    chosen: Array = (rng.random(len(shares))[:, None] >= shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return chosen


def draw_ages(rng: Generator, size: int) -> Array:
    ages = np.empty(0, dtype=int)
    while len(ages) < size:
        young = rng.random(size) < 0.755
        drawn = np.rint(np.where(young, rng.normal(35.1, 6.6, size), rng.normal(50.5, 11.4, size))).astype(int)
        ages = np.concatenate([ages, drawn[(drawn >= 18) & (drawn <= 92)]])
    return ages[:size]


def draw_balances(rng: Generator, country: Array, zero_shares: Array) -> Array:
    german = country == GERMANY
    money = rng.normal(np.where(german, 119_700, 119_900), np.where(german, 27_000, 32_000))
    empty = (rng.random(len(country)) < zero_shares) & ~german
    return np.where(empty, 0.0, np.maximum(money, SMALLEST_BALANCE).round(2))
