"""Which runs of letters are words, and which words are units, numbers or neither."""

from __future__ import annotations

from itertools import pairwise


def names(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


UNITS = {
    "mm": "millimetre millimetres millimeter millimeters",
    "cm": "centimetre centimetres centimeter centimeters",
    "m": "metre metres meter meters",
    "km": "kilometre kilometres kilometer kilometers kms",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "mg": "milligram milligrams",
    "g": "gram grams",
    "kg": "kilogram kilograms kgs",
    "lb": "pound pounds lbs",
    "oz": "ounce ounces",
    "t": "ton tons tonne tonnes",
    "ml": "mL millilitre millilitres milliliter milliliters",
    "l": "L litre litres liter liters",
    "gal": "gallon gallons",
    "ms": "millisecond milliseconds",
    "s": "sec secs second seconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "wk": "week weeks",
    "month": "months",
    "yr": "year years yrs",
    "mph": "",
    "kph": "kmh kmph",
    "N": "newton newtons",
    "J": "joule joules",
    "kJ": "kilojoule kilojoules",
    "cal": "calorie calories",
    "kcal": "kilocalorie kilocalories",
    "W": "watt watts",
    "kW": "kilowatt kilowatts",
    "kWh": "",
    "V": "volt volts",
    "A": "ampere amperes amp amps",
    "Hz": "hertz",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "Pa": "pascal pascals",
    "kPa": "kilopascal kilopascals",
    "atm": "atmosphere atmospheres",
    "mol": "mole moles mols",
    "K": "kelvin kelvins",
    "C": "celsius",
    "F": "fahrenheit",
    "MB": "megabyte megabytes",
    "GB": "gigabyte gigabytes",
    "rad": "radian radians",
    "rpm": "",
    "degree": "degrees deg degs",
    "$": "dollar dollars usd buck bucks",
    "€": "euro euros eur",
    "£": "gbp quid sterling",
    "¥": "yen jpy yuan",
    "₹": "rupee rupees inr Rs rs",
    "cent": "cents penny pennies",
    "%": "percent pct percentage",
}
"""Short name -> other names; what is in no entry is a word that measures nothing, such as apples."""
UNIT_OF = {name: unit for unit, others in UNITS.items() for name in (unit, *others.split())}
LETTER_UNITS = frozenset("mgshlLKCFNJWVA")
"""Units of one letter, which could be variables: they are units after a number alone."""
POWERS = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cu": "^3", "cubed": "^3"}
MAGNITUDES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
CHANGING = names(
    "not no never or nor and to than between except plus minus half halves quarter quarters third thirds am pm oclock "
    "neither either unless if mod modulo remainder choose factorial root roots where squared cubed"
)
"""Words beside a number that make another answer of it."""
CHANGING_BEFORE = CHANGING | names("least most more less fewer over under above below without times every any all for")
"""Words that do so before the number alone: three more pens are three."""
FILLERS = names(
    "a an the of in on at for is are was be it there he she they we you has have had with per each every more less "
    "fewer left over total altogether about approximately around roughly exactly only nearly almost just unit units "
    "st nd rd th long old away apart equal equals value number amount answer"
)
"""Words that tell nothing of what is counted."""
SHORT_WORDS = names(
    "an as at by if in is it no of on or so to up us we he am pm mm cm km ft yd mi kg mg lb oz ml mL kJ kW Pa Hz MB GB "
    "hr ms sq cu Rs mph kph kmh rpm hrs sec min lbs kgs yds mol atm cal gal deg usd eur gbp yen pct kHz MHz kPa kWh "
    "and are for has had her his its not off one our out per she six ten the two was who yes all any day kms amp "
    "each"
)
VOWELS = frozenset("aeiou")


def is_word(letters: str, spaced: bool) -> bool:
    """Return whether a run of letters is a word and no product of variables.

    Parameters
    ----------
    letters
        Two or more letters that are the name of no function.
    spaced
        Whether they stand apart from what is before them: then three letters with vowel and consonant are a word too.
    """
    if len(letters) > 3 or letters in SHORT_WORDS or letters.casefold() in SHORT_WORDS - {"mb", "gb"}:
        return True
    low = letters.casefold()
    in_order = all(ord(after) - ord(before) == 1 for before, after in pairwise(low))
    return spaced and len(low) == 3 and not in_order and 0 < len(VOWELS & set(low)) < len(set(low))


def unit_of(word: str) -> str | None:
    """Return the unit that a word names; None if it names none."""
    return UNIT_OF.get(word) or UNIT_OF.get(word.casefold())
