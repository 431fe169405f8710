"""Reads tokens as one answer: all of them, or none."""

from __future__ import annotations

from fractions import Fraction

from .tokens import FUNCTIONS, Token
from .tree import Apply, Based, Label, Matrix, Node, Number, Relation, Series, Symbol, UnreadableError
from .words import names

MAX_DEPTH = 40
MAX_EXPONENT = 1000
"""Power of ten in scientific notation up to which a number is worked out."""

RELATIONS = {
    "=": "=", "approx": "=", "simeq": "=", "cong": "=", "<": "<", ">": ">", "lt": "<", "gt": ">", "le": "<=",
    "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "ne": "!=", "neq": "!=", "in": "in",
}  # fmt: skip
TIMES = {"*": "*", "cdot": "*", "times": "*", "ast": "*", "/": "/", "div": "/"}
PLUS = {"+": "+", "-": "-", "pm": "pm", "mp": "mp"}
FRACTIONS = ("frac", "dfrac", "tfrac", "cfrac", "sfrac", "nicefrac")
BINOMIALS = ("binom", "dbinom", "tbinom")
PAIRED = {"lfloor": ("rfloor", "floor"), "lceil": ("rceil", "ceil"), "lvert": ("rvert", "abs"), "vert": ("vert", "abs")}
NAMES = names(
    "pi infty alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma "
    "tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Phi Psi Omega ell hbar"
)
MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array")
CALLED = frozenset("fghpqFGHPQNTVASEDRLMW")
"""Letters that are functions where brackets follow them and an equation begins with them: ``f(x) =``, ``P(A) =``."""
LABELLING = frozenset(("angle", "triangle", "overline", "measuredangle", "operatorname", "prime", "mathbb"))
INVERSE = {name: f"arc{name}" for name in ("sin", "cos", "tan", "cot")}
SAME_FUNCTION = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log"}
SEPARATORS = (",", ";", "and", "or")
EQUALS = ("=", "approx")
SUCH_THAT = ("|", "mid", ":", "colon")
END = Token("sign", "")


def parse(tokens: list[Token]) -> Node:
    """Read the tokens as one answer.

    Raises
    ------
    UnreadableError
        If anything in them is not understood.
    """
    return _Parser(tokens).whole()


class _Parser:
    """Recursive descent; each method reads what its name says from where the last one ended."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = [*tokens, END]
        self._position = 0
        self._depth = 0
        self._bars = 0

    def whole(self) -> Node:
        self._take(*EQUALS)
        answer = self._list("")
        if self._next is not END:
            raise UnreadableError(f"{self._next.text!r} is left over")
        return answer

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _ahead(self, count: int) -> Token:
        return self._tokens[min(self._position + count, len(self._tokens) - 1)]

    def _take(self, *texts: str) -> str | None:
        """Go past the next token if it is one of these."""
        token = self._next
        if token.text in texts and token is not END:
            self._position += 1
            return token.text
        return None

    def _expect(self, text: str) -> None:
        if self._take(text) is None:
            raise UnreadableError(f"{text!r} is missing")

    def _list(self, end: str) -> Node:
        """Read items up to the end, which is not taken."""
        items, separators = [self._item()], set()
        while (separator := self._separator()) is not None:
            separators.add(separator)
            if self._next.text == end:
                break
            items.append(self._item())
        if len(items) == 1:
            return items[0]
        return Series(separators.pop() if len(separators) == 1 else ",", tuple(items))

    def _separator(self) -> str | None:
        """Take a separator: ``, and`` is one."""
        taken = self._take(*SEPARATORS)
        if taken in (",", ";"):
            self._take("and", "or")
            return ","
        return taken

    def _item(self) -> Node:
        operators: list[str] = []
        sides = [self._label() or self._union()]
        while self._next.text in RELATIONS and self._next.kind != "word":
            operators.append(RELATIONS[self._next.text])
            self._position += 1
            sides.append(self._label() or self._union())
        return Relation(tuple(operators), tuple(sides)) if operators else sides[0]

    def _union(self) -> Node:
        """Read an expression, or intervals that are joined, in plain text by the letter U, or a set without another."""
        united = [self._expression()]
        if self._take("setminus", "backslash"):
            return Apply("setminus", (united[0], self._expression()))
        while self._take("cup") or (self._is_letter_union() and self._take("U")):
            united.append(self._expression())
        return Apply("cup", tuple(united)) if len(united) > 1 else united[0]

    def _is_letter_union(self) -> bool:
        before = self._tokens[self._position - 1].text if self._position else ""
        return self._next.text == "U" and before in (")", "]") and self._ahead(1).text in ("(", "[")

    def _label(self) -> Label | None:
        """Take what is called by words, by points, or as a function, if an equation follows."""
        end = next((place for place in range(self._position, len(self._tokens)) if self._ends_label(place)), None)
        if end is None or end == self._position or self._tokens[end].text not in EQUALS:
            return None
        tokens = self._tokens[self._position : end]
        if not (_names_by_words(tokens) or _names_points(tokens) or _names_a_call(tokens)):
            return None
        self._position = end
        return Label("".join(token.text for token in tokens if token.text not in ("{", "}")))

    def _ends_label(self, place: int) -> bool:
        token = self._tokens[place]
        return token.text in EQUALS or token is END or (token.text in SEPARATORS and not self._within(place))

    def _within(self, place: int) -> bool:
        texts = [token.text for token in self._tokens[self._position : place]]
        return texts.count("(") > texts.count(")")

    def _expression(self) -> Node:
        self._deeper()
        left = self._sum()
        if self._take("over"):
            left = Apply("/", (left, self._sum()))
        self._depth -= 1
        return left

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UnreadableError("nested too deeply")

    def _sum(self) -> Node:
        left = self._product()
        while self._next.text in PLUS:
            operator = PLUS[self._next.text]
            self._position += 1
            left = Apply(operator, (left, self._product()))
        return left

    def _product(self) -> Node:
        left = self._signed()
        while True:
            if self._next.text in TIMES:
                operator = TIMES[self._next.text]
                self._position += 1
                left = Apply(operator, (left, self._signed()))
            elif self._begins_factor():
                left = self._beside(left)
            else:
                return left

    def _beside(self, left: Node) -> Node:
        """Read the factor that stands beside another."""
        if self._next.kind == "number":
            raise UnreadableError("two numbers beside each other")
        return Apply("*", (left, self._power()))

    def _mixed(self, whole: Node) -> Node:
        """Read the fraction of a mixed number, if one follows: ``1\\frac{1}{2}``, ``1 1/2``."""
        start, tokens = self._position, list(self._tokens)
        if self._next.text in FRACTIONS:
            fraction = self._primary()
        elif self._next.kind == "number" and self._next.spaced and self._ahead(1).text == "/":
            top = self._primary()
            self._expect("/")
            fraction = Apply("/", (top, self._primary()))
        else:
            return whole
        if _is_proper(fraction):
            return Apply("mixed", (whole, fraction))
        self._position, self._tokens = start, tokens
        return whole

    def _begins_factor(self) -> bool:
        token = self._next
        if token.kind == "sign":
            return token.text in ("(", "{") or (token.text == "|" and not self._bars) or token.text == "["
        if token.kind == "command":
            known = token.text in NAMES or token.text in FUNCTIONS or token.text in PAIRED
            return known or token.text in (*FRACTIONS, *BINOMIALS, "sqrt", "|")
        return token.kind in ("number", "letter") and not self._is_letter_union()

    def _signed(self) -> Node:
        sign = self._take("-", "+", "pm", "mp")
        if sign is None:
            return self._power()
        self._deeper()
        inner = self._signed()
        self._depth -= 1
        return inner if sign == "+" else Apply("neg" if sign == "-" else f"{sign}1", (inner,))

    def _power(self) -> Node:
        base = self._primary()
        base = self._postfixed(self._mixed(base) if _is_integer(base) else base)
        while self._next.text == "^":
            self._position += 1
            if self._is_degree():
                base = self._postfixed(Apply("degree", (base,)))
            else:
                base = self._postfixed(Apply("^", (base, self._exponent())))
        return base

    def _is_degree(self) -> bool:
        """Take the circle after a caret."""
        if self._take("circ", "degree"):
            return True
        braced = self._next.text == "{" and self._ahead(1).text in ("circ", "degree") and self._ahead(2).text == "}"
        self._position += 3 * braced
        return braced

    def _exponent(self) -> Node:
        self._deeper()
        negative = self._take("-")
        exponent = self._group() if self._next.text == "{" else self._postfixed(self._primary())
        if self._next.text == "^":
            self._position += 1
            exponent = Apply("^", (exponent, self._exponent()))
        self._depth -= 1
        return Apply("neg", (exponent,)) if negative else exponent

    def _postfixed(self, base: Node) -> Node:
        while (sign := self._take("!", "%", "degree")) is not None:
            base = Apply(sign, (base,))
        return base

    def _primary(self) -> Node:
        token = self._next
        if token is END:
            raise UnreadableError("it ends too early")
        if token.kind == "number":
            self._position += 1
            return self._number(token.text)
        if token.kind == "letter":
            self._position += 1
            return self._symbol(token.text)
        if token.kind == "command":
            self._position += 1
            return self._command(token.text)
        return self._bracketed(token)

    def _bracketed(self, token: Token) -> Node:
        if token.text == "{":
            return self._group()
        self._position += 1
        if token.text in ("(", "["):
            return self._series(token.text)
        if token.text == "<":
            return self._vector(">")
        if token.text == "|":
            return self._between_bars("|")
        raise UnreadableError(f"{token.text!r} begins nothing")

    def _between_bars(self, bar: str) -> Node:
        self._bars += 1
        inner = self._expression()
        self._expect(bar)
        self._bars -= 1
        return Apply("abs", (inner,))

    def _series(self, opening: str) -> Node:
        """Read what stands in brackets: one value is that value, several are a tuple or an interval."""
        bars, self._bars = self._bars, 0
        inner = self._list(")")
        closing = self._take(")", "]")
        if closing is None:
            raise UnreadableError("a bracket is not closed")
        self._bars = bars
        if isinstance(inner, Series) and inner.brackets in (",", ";"):
            return Series(opening + closing, inner.items)
        if (opening, closing) not in (("(", ")"), ("[", "]")):
            raise UnreadableError("brackets of different kinds")
        return inner

    def _vector(self, end: str) -> Node:
        items = [self._expression()]
        while self._take(","):
            items.append(self._expression())
        self._expect(end)
        return Series("()", tuple(items))

    def _set(self, end: str) -> Node:
        if self._take(end):
            return Series("{}", ())
        if self._next.kind == "letter" and self._ahead(1).text in SUCH_THAT:
            self._position += 2
            return self._last(end)
        inner = self._list(end)
        self._expect(end)
        several = isinstance(inner, Series) and inner.brackets in SEPARATORS
        return Series("{}", inner.items if several and isinstance(inner, Series) else (inner,))

    def _last(self, end: str) -> Node:
        inner = self._list(end)
        self._expect(end)
        return inner

    def _group(self) -> Node:
        """Read a group in braces, which in plain text is a set."""
        self._expect("{")
        bars, self._bars = self._bars, 0
        inner = self._list("}")
        self._expect("}")
        self._bars = bars
        is_list = isinstance(inner, Series) and inner.brackets in SEPARATORS
        return Series("{}", inner.items) if is_list and isinstance(inner, Series) else inner

    def _number(self, text: str) -> Node:
        if self._next.text == "_":
            return self._based(text)
        if self._next.text == "overline" and "." in text:
            return self._recurring(text)
        _, _, exponent = text.lower().partition("e")
        if exponent and abs(int(exponent)) > MAX_EXPONENT:
            raise UnreadableError("a number too large")
        return Number(Fraction(text), exact=text.isdigit())

    def _based(self, digits: str) -> Node:
        self._position += 1
        base = self._argument(whole=True)
        if not (isinstance(base, Number) and digits.isdigit() and base.value in range(2, 37)):
            raise UnreadableError("no base")
        return Number(Fraction(digits)) if base.value == 10 else Based(digits.lstrip("0") or "0", int(base.value))

    def _recurring(self, text: str) -> Node:
        self._position += 1
        self._expect("{")
        period = self._next.text
        self._position += 1
        self._expect("}")
        if not period.isdigit():
            raise UnreadableError("no period")
        places = len(text.partition(".")[2])
        return Number(Fraction(text.rstrip(".")) + Fraction(int(period), 10**places * (10 ** len(period) - 1)))

    def _symbol(self, name: str) -> Node:
        while True:
            if self._take("'"):
                name += "'"
            elif self._next.text == "^" and self._ahead(1).text in ("*", "prime"):
                self._position += 2
                name += "*"
            elif self._take("_"):
                name += f"_{self._index()}"
            else:
                return Symbol(name)

    def _index(self) -> str:
        braced = self._take("{")
        start = self._position
        while braced and self._next.text != "}" and self._next is not END:
            self._position += 1
        self._position += not braced
        index = "".join(token.text for token in self._tokens[start : self._position])
        if braced:
            self._expect("}")
        if not index.isalnum():
            raise UnreadableError("no index")
        return index

    def _argument(self, whole: bool = False) -> Node:
        r"""Read an argument of a LaTeX command: a group, or the next sign; so ``\frac12`` is a half."""
        token = self._next
        if token.text == "{":
            return self._group()
        if token.kind == "number" and token.text.isdigit() and len(token.text) > 1 and not whole:
            self._tokens[self._position] = Token("number", token.text[1:])
            return Number(Fraction(token.text[0]))
        return self._primary()

    def _command(self, name: str) -> Node:
        if name in NAMES:
            return self._symbol(name)
        if name in FRACTIONS:
            return Apply("/", (self._argument(), self._argument()))
        if name in BINOMIALS:
            return Apply("binom", (self._argument(), self._argument()))
        if name == "sqrt":
            return self._root()
        if name in FUNCTIONS:
            return self._function(SAME_FUNCTION.get(name, name))
        if name.startswith("begin"):
            return self._matrix(name[len("begin") :].strip("{} "))
        return self._enclosed(name)

    def _enclosed(self, name: str) -> Node:
        if name == "\\{":
            return self._set("\\}")
        if name == "langle":
            return self._vector("rangle")
        if name == "|":
            return self._between_bars("|")
        if name in ("emptyset", "varnothing"):
            return Series("{}", ())
        if name == "mathbb" and self._argument() == Symbol("R"):
            return Symbol("reals")
        if name in PAIRED:
            closing, function = PAIRED[name]
            inner = self._expression()
            self._expect(closing)
            return Apply(function, (inner,))
        raise UnreadableError(f"the command {name}")

    def _root(self) -> Node:
        degree: Node = Number(Fraction(2))
        if self._take("["):
            degree = self._expression()
            self._expect("]")
        return Apply("root", (self._argument(whole=True), degree))

    def _function(self, name: str) -> Node:
        base = None
        if name == "log" and self._take("_"):
            base = self._log_base()
        power = None
        if self._take("^"):
            power = self._exponent()
        operands = self._operands()
        if power == Apply("neg", (Number(Fraction(1)),)) and name in INVERSE:
            name, power = INVERSE[name], None
        applied = Apply(name, operands if base is None else (*operands, base))
        return applied if power is None else Apply("^", (applied, power))

    def _log_base(self) -> Node:
        ten = self._next.text in ("10", "16")
        return self._argument(whole=ten or self._ahead(1).text == "(")

    def _operands(self) -> tuple[Node, ...]:
        """Read what a function is applied to: brackets, or the factors up to the next function."""
        if self._next.text in ("(", "{"):
            inner = self._primary()
            return inner.items if isinstance(inner, Series) else (inner,)
        inner = self._signed()
        while self._begins_factor() and self._next.text not in FUNCTIONS and self._next.text != "(":
            inner = Apply("*", (inner, self._power()))
        return (inner,)

    def _matrix(self, kind: str) -> Node:
        if kind not in MATRICES:
            raise UnreadableError(f"the environment {kind}")
        if kind == "array":
            self._columns()
        rows = [self._row()]
        while self._take("\\") and not self._next.text.startswith("end"):
            rows.append(self._row())
        if self._take(f"end{{{kind}}}") is None or len({len(row) for row in rows}) != 1:
            raise UnreadableError("a matrix that is not closed, or of rows of different lengths")
        return Matrix(tuple(rows))

    def _row(self) -> tuple[Node, ...]:
        cells = [self._expression()]
        while self._take("&"):
            cells.append(self._expression())
        return tuple(cells)

    def _columns(self) -> None:
        """Go past how the columns of an array are aligned."""
        self._expect("{")
        while self._take("l", "c", "r", "|"):
            pass
        self._expect("}")


def _is_integer(node: Node) -> bool:
    return isinstance(node, Number) and node.exact and node.value.denominator == 1


def _is_fraction(node: Node) -> bool:
    return isinstance(node, Apply) and node.operator == "/" and all(map(_is_integer, node.operands))


def _is_proper(node: Node) -> bool:
    """Return whether a fraction of integers is less than one, as that of a mixed number is."""
    if not (isinstance(node, Apply) and _is_fraction(node)):
        return False
    top, bottom = node.operands
    return isinstance(top, Number) and isinstance(bottom, Number) and 0 < top.value < bottom.value


def _names_by_words(tokens: list[Token]) -> bool:
    return any(token.kind == "word" for token in tokens) and all(
        token.kind in ("word", "letter") or token.text in ("{", "}", "'", *LABELLING) for token in tokens
    )


def _names_points(tokens: list[Token]) -> bool:
    """Return whether they name a segment, an angle or a figure by its points: ``AB``, ``\\angle ABC``, ``|AB|``."""
    letters = [token.text for token in tokens if token.kind == "letter"]
    marks = [token.text for token in tokens if token.kind != "letter"]
    marked = any(mark in LABELLING for mark in marks)
    is_name = len(letters) > 1 or marked
    capital = all(letter.isupper() for letter in letters) or (marked and letters[0] == "m" and len(letters) > 1)
    return (
        bool(letters)
        and is_name
        and capital
        and all(mark in ("{", "}", "|", "[", "]", "'", *LABELLING) for mark in marks)
    )


def _names_a_call(tokens: list[Token]) -> bool:
    texts = [token.text for token in tokens]
    name, *rest = texts
    while rest and rest[0] == "'":
        rest = rest[1:]
    rest = rest[5:] if rest[:5] == ["^", "{", "-", "1", "}"] else rest
    simple = all(token.kind in ("letter", "number", "word") or token.text in "(),-'^{}" for token in tokens)
    enclosed = rest[:1] == ["("] and rest[-1] == ")" and rest.count("(") == rest.count(")") == 1
    return name in CALLED and enclosed and simple
