"""Says whether an answer that was read says what the reference says."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from .evaluate import uses, variables
from .reading import Reading, is_literal
from .regions import is_explicit, region, same_region
from .tree import Apply, Based, Label, Matrix, Node, Number, Relation, Series, Symbol
from .values import POINTS, equal, is_positive, is_zero, points, ratio, same_value, value_at

LISTS = (",", ";", "and", "or")
MAX_UNORDERED = 40
"""Values up to which a list is compared in any order."""
FLIPPED = {">": "<", ">=": "<="}


def same_reading(reference: Reading, answer: Reading) -> bool:
    """Return whether the answer says what the reference says, units and percentage included where both give them."""
    if reference.units and answer.units and not _compatible(reference.units, answer.units):
        return False
    if reference.words and answer.words and not _compatible(reference.words, answer.words):
        return False
    if reference.percentage == answer.percentage:
        return same(reference.node, answer.node)
    return any(same(right, given) for right in _percentages(reference) for given in _percentages(answer))


def _compatible(one: frozenset[str], other: frozenset[str]) -> bool:
    return one <= other or other <= one


def _percentages(reading: Reading) -> tuple[Node, ...]:
    """Return what a percentage may mean beside a number that is none: 50 as well as 1/2."""
    if not reading.percentage:
        return (reading.node,)
    if isinstance(reading.node, Number):
        return reading.node, Number(reading.node.value / 100, reading.node.exact)
    return (reading.node,)


def same(reference: Node, answer: Node) -> bool:
    """Return whether two readings say the same, apart from their units."""
    right, given = written_out(reference), written_out(answer)
    if is_explicit(right) or is_explicit(given):
        return _same_region(right, given)
    if isinstance(right, Relation):
        return _same_relation(right, given)
    if isinstance(given, Relation):
        value = stated(given)
        return value is not None and _same(right, value)
    return _same(right, given)


def _same(right: Node, given: Node) -> bool:
    if isinstance(right, Based) or isinstance(given, Based):
        return right == given
    if isinstance(right, Matrix) or isinstance(given, Matrix):
        return _same_matrix(right, given)
    if isinstance(right, Series) or isinstance(given, Series):
        return _same_series(right, given)
    if isinstance(right, Symbol) and right.name in ("infty", "reals"):
        return right == given
    return same_value(right, given) or _same_infinity(right, given)


def _same_infinity(right: Node, given: Node) -> bool:
    negative = Apply("neg", (Symbol("infty"),))
    return right == given == negative


def stated(relation: Relation) -> Node | None:
    """Return the last side of an equation that states a value: of a lone name, or of a chain of arithmetic.

    ``x = 5`` and ``2 + 3 = 5`` state 5, ``2x + 3y = 6`` and ``x^2 = 4`` state nothing.
    """
    first, *_, last = relation.sides
    if relation.operators == ("in",) and isinstance(first, Symbol):
        return last
    if any(operator != "=" for operator in relation.operators) or isinstance(last, Label):
        return None
    if _is_name(first) or not any(variables(side) or isinstance(side, Label) for side in relation.sides[:-1]):
        return last
    return None


def _is_name(node: Node) -> bool:
    if isinstance(node, Series):
        return all(map(_is_name, node.items))
    return isinstance(node, Label) or (isinstance(node, Symbol) and bool(variables(node)))


def _same_relation(right: Relation, given: Node) -> bool:
    value = stated(right)
    if value is None:
        return isinstance(given, Relation) and _proportional(right, given)
    if not isinstance(given, Relation):
        return _same(value, given)
    other = stated(given)
    if other is not None and not _other_name(right.sides[0], given.sides[0]) and _same(value, other):
        return True
    return bool(variables(value)) and _proportional(right, given)


def _other_name(one: Node, other: Node) -> bool:
    """Return whether both are variables, and not the same."""
    if not (isinstance(one, Symbol) and isinstance(other, Symbol)):
        return False
    return bool(variables(one) and variables(other)) and one.name.casefold() != other.name.casefold()


def _proportional(right: Relation, given: Relation) -> bool:
    """Return whether two equations or inequalities differ by a factor only, brought to one side each."""
    if len(right.sides) != 2 or len(given.sides) != 2:
        return _same_sides(right, given)
    (operator, one), (other_operator, other) = _one_sided(right), _one_sided(given)
    if operator != other_operator or operator == "in":
        return False
    names = sorted(variables(one) | variables(other))
    ratios = []
    for point in points(names, whole=uses(one, "!", "binom") or uses(other, "!", "binom")):
        left, right_value = value_at(one, point), value_at(other, point)
        factor = None if left is None or right_value is None else ratio(left, right_value)
        if factor is not None:
            ratios.append(factor)
        elif left is not None and right_value is not None and is_zero(left) != is_zero(right_value):
            return False
    constant = len(ratios) > POINTS // 2 and all(equal(factor, ratios[0]) for factor in ratios)
    return constant and (operator in ("=", "!=") or is_positive(ratios[0]))


def _one_sided(relation: Relation) -> tuple[str, Node]:
    left, right = relation.sides
    operator = relation.operators[0]
    if operator in FLIPPED:
        return FLIPPED[operator], Apply("-", (right, left))
    return operator, Apply("-", (left, right))


def _same_sides(right: Relation, given: Relation) -> bool:
    same_shape = right.operators == given.operators
    return same_shape and all(_same(one, other) for one, other in zip(right.sides, given.sides, strict=True))


def _same_region(right: Node, given: Node) -> bool:
    one, other = region(right), region(given)
    if one is not None and other is not None:
        return same_region(one, other)
    if isinstance(right, Relation) and isinstance(given, Relation):
        return stated(right) is None and stated(given) is None and _proportional(right, given)
    if isinstance(right, Series) and isinstance(given, Series) and right.brackets == given.brackets:
        return _same_series(right, given)
    return False


def _same_matrix(right: Node, given: Node) -> bool:
    one, other = _rows(right), _rows(given)
    if one is None or other is None:
        return False
    if not (isinstance(right, Matrix) and isinstance(given, Matrix)) and (len(one) == 1 or len(one[0]) == 1):
        one, other = [_flat(one)], [_flat(other)]
    if [len(row) for row in one] != [len(row) for row in other]:
        return False
    return all(_same(a, b) for row, others in zip(one, other, strict=True) for a, b in zip(row, others, strict=True))


def _rows(node: Node) -> list[list[Node]] | None:
    """Return the rows of a matrix, also of one that is written in brackets; a tuple is one row."""
    if isinstance(node, Matrix):
        return [list(row) for row in node.rows]
    if not isinstance(node, Series) or node.brackets not in ("()", "[]") or not node.items:
        return None
    rows = [list(item.items) for item in node.items if isinstance(item, Series)]
    return rows if len(rows) == len(node.items) else [list(node.items)]


def _flat(rows: Sequence[Sequence[Node]]) -> list[Node]:
    return [cell for row in rows for cell in row]


def _same_series(right: Node, given: Node) -> bool:
    right, given = _named_in_order(right, given), _named_in_order(given, right)
    if not isinstance(right, Series) or not isinstance(given, Series):
        return _is_lone(right, given) or _is_lone(given, right)
    if len(right.items) != len(given.items):
        return False
    lists = [series for series in (right, given) if series.brackets in LISTS]
    sets = [series for series in (right, given) if series.brackets == "{}"]
    if len(lists) + len(sets) == 2:
        return _same_in_any_order(right.items, given.items)
    if sets or not _same_brackets(right, given):
        return False
    return all(same(one, other) for one, other in zip(right.items, given.items, strict=True))


def _named_in_order(node: Node, other: Node) -> Node:
    """Return ``y = 2, x = 1`` as the point that it is beside another one."""
    if not (isinstance(node, Series) and isinstance(other, Series) and other.brackets == "()"):
        return node
    named = {item.sides[0]: item for item in node.items if isinstance(item, Relation) and _is_name(item.sides[0])}
    if len(named) != len(node.items) or not all(isinstance(name, Symbol) for name in named):
        return node
    return Series("()", tuple(named[name] for name in sorted(named, key=str)))


def _is_lone(series: Node, value: Node) -> bool:
    """Return whether the first is a set of the second alone."""
    if not isinstance(series, Series) or series.brackets != "{}" or len(series.items) != 1:
        return False
    return same(series.items[0], value)


def _same_brackets(right: Series, given: Series) -> bool:
    """Return whether the brackets mean the same: around two values they tell open from closed."""
    if right.brackets in LISTS or given.brackets in LISTS or len(right.items) > 2:
        return {right.brackets, given.brackets} <= {"()", "[]", *LISTS}
    return right.brackets == given.brackets


def _same_in_any_order(right: Sequence[Node], given: Sequence[Node]) -> bool:
    """Return whether each value of one is a value of the other."""
    if len(right) > MAX_UNORDERED:
        return all(same(one, other) for one, other in zip(right, given, strict=True))
    left = list(given)
    for one in right:
        place = next((place for place, other in enumerate(left) if same(one, other)), None)
        if place is None:
            return False
        del left[place]
    return True


def written_out(node: Node) -> Node:
    """Return what was read with two values for each that has a plus-minus sign."""
    if isinstance(node, Series) and node.brackets in (*LISTS, "{}") and uses(node, *SIGNS):
        items = [both for item in node.items for both in _both(item)]
        return Series(node.brackets, tuple(items))
    if isinstance(node, Relation) and uses(node.sides[-1], *SIGNS):
        last = written_out(node.sides[-1])
        return Relation(node.operators, (*node.sides[:-1], last))
    if isinstance(node, Apply | Series) and uses(node, *SIGNS):
        return Series(",", _both(node))
    return node


SIGNS = ("pm", "mp", "pm1", "mp1")
PLUS = {"pm": "+", "mp": "-"}
MINUS = {"pm": "-", "mp": "+"}


def _both(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Relation):
        return tuple(Relation(node.operators, (*node.sides[:-1], last)) for last in _both(node.sides[-1]))
    return (_signed(node, PLUS), _signed(node, MINUS)) if uses(node, *SIGNS) else (node,)


def _signed(node: Node, signs: dict[str, str]) -> Node:
    if isinstance(node, Series):
        return Series(node.brackets, tuple(_signed(item, signs) for item in node.items))
    if not isinstance(node, Apply):
        return node
    operands = tuple(_signed(operand, signs) for operand in node.operands)
    if node.operator in ("pm1", "mp1"):
        return operands[0] if signs[node.operator[:2]] == "+" else Apply("neg", operands)
    return Apply(signs.get(node.operator, node.operator), operands)


def value_of(reading: Reading) -> Fraction | None:
    """Return the number that a reading states; None if it states no number, or a sum still to be done."""
    node = stated(reading.node) if isinstance(reading.node, Relation) else reading.node
    if node is None or not is_literal(node, lowest=False):
        return None
    value = value_at(node, {})
    return value if isinstance(value, Fraction) else None
