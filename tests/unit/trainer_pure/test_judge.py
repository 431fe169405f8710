"""The judge of answers by example lists, a kind of answer each: forms that are right, and answers that are not."""

from __future__ import annotations

import random
import re

import pytest

from reasoning_trainer.rewards.judge import same_choice, same_mathematics, same_number, same_pattern, same_text
from reasoning_trainer.rewards.judge.pattern import matches

RIGHT = {
    "fractions and decimals": [
        (r"\frac{3}{8}", r"\frac38", "3/8", ".375", "0.375", r"37.5\%", r"\dfrac{3}{8}", r"\cfrac 3 8", r"3 \over 8"),
        ("7/3", r"2\frac{1}{3}", "2 1/3", r"$2\frac13$", "2.333333333", "-(-7/3)"),
        (r"0.1\overline{6}", "1/6", r"\frac16", "0.1666667"),
        (r"0.\overline{3}", "1/3"),
        ("-0.5", r"-\frac{1}{2}", r"\frac{-1}{2}", "−1/2", "-½"),
    ],
    "integers": [
        ("1500", "1,500", r"1{,}500", r"1,\!500", r"1\,500", "$1,500", r"\$1500.00", "1.5 thousand", "1.5e3"),
        ("1500", r"1.5 \times 10^3", r"1.5\cdot10^{3}", "1.5×10³", "01500", "+1500", "１５００", "((1500))"),
        ("3", "3.", "3.0", "{3}", r"\text{3}", "2 + 1 = 3", "6/2 = 3", r"\frac{6}{2} = 3"),
    ],
    "decimals that are tiny or huge": [
        ("1.2e-6", r"1.2 \times 10^{-6}", "0.0000012", "0.00000120"),
        ("6.02e23", r"6.02 \times 10^{23}", "6.02000001e23"),
    ],
    "radicals": [
        (r"\sqrt{12}", r"2\sqrt3", "2√3", "2*sqrt(3)", "3.4641016", r"12^{1/2}", r"\frac{6}{\sqrt{3}}"),
        (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}", "sqrt(3)/3", r"3^{-1/2}"),
        (r"\sqrt[3]{54}", r"3\sqrt[3]{2}", "3∛2", r"3 \cdot 2^{1/3}"),
        (r"\frac{1+\sqrt{5}}{2}", "(1+sqrt(5))/2", r"\frac{\sqrt5+1}2", "1.618033989"),
    ],
    "constants and functions": [
        (r"\frac{\pi}{6}", "π/6", "pi/6", r"\pi/6", r"\frac\pi6", "0.5235988"),
        (r"\ln 8", r"3\ln 2", "3ln(2)", r"\ln(8)", "2.0794415"),
        (r"\log_2 3", r"\frac{\ln 3}{\ln 2}", "log_2(3)", r"\log_{2}{3}"),
        ("e^{2x}", "exp(2x)", r"(e^x)^2", r"\mathrm{e}^{2x}"),
        (r"\cos 40^\circ", r"\sin 50^\circ", r"\cos(40°)"),
        (r"\cot x", r"\frac{\cos x}{\sin x}", r"1/\tan x"),
        (r"\sin(2x)", r"2\sin x\cos x"),
        (r"\arctan 1 + x", r"x + \pi/4", r"\tan^{-1}(1) + x"),
        ("4+3i", "3i + 4", "(3 - 4i)i"),
        (r"\binom{7}{3}", "35"),
        ("n!", r"n \cdot (n-1)!"),
    ],
    "algebra": [
        ("x^2 - 4", "(x-2)(x+2)", "(x+2)*(x-2)", "x² − 4", "-4 + x^{2}"),
        (r"\frac{a+b}{c}", "(a+b)/c", r"\frac{a}{c} + \frac{b}{c}"),
        ("|x-3|", "|3-x|", r"\lvert x-3 \rvert", r"\left|x-3\right|"),
        ("2xy", "2yx", r"2 \cdot x \cdot y", "y(2x)"),
        (r"\sqrt{\frac{1}{n}}", r"\frac{\sqrt{n}}{n}", "1/sqrt(n)"),
        ("2^{n+1}", r"2 \cdot 2^n", "2^n + 2^n"),
        ("x_1 + x_2", "x_2+x_1"),
    ],
    "points and vectors": [
        (r"(\frac12, -3)", "(0.5, -3)", r"\left( \frac{1}{2},\, -3 \right)", "(x, y) = (1/2, -3)", "x = 1/2, y = -3"),
        (r"\begin{pmatrix} 1/2 \\ 2 \end{pmatrix}", r"\begin{bmatrix}\frac12\\2\end{bmatrix}", "(0.5, 2)"),
        (r"\begin{pmatrix} 1/2 \\ 2 \end{pmatrix}", r"\langle \frac{1}{2}, 2 \rangle", "<1/2, 2>"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}", "[[1,2],[3,4]]"),
    ],
    "several values": [
        (r"\{2, 5\}", r"\{5, 2\}", "{5, 2}", "5, 2", r"x = 2 \text{ or } x = 5", r"x \in \{2, 5\}", "x = 2, 5"),
        ("2, 5, 9", "9, 5, and 2", "9; 2; 5", r"\{2,5,9\}", r"\boxed{9}, \boxed{2} and \boxed{5}"),
        (r"2 \pm \sqrt{5}", r"2-\sqrt5, 2+\sqrt5", r"2+\sqrt5 \text{ or } 2-\sqrt5", r"x = 2 \mp \sqrt5"),
        (r"x = \pm 3", "x = 3 or x = -3", "±3", "-3 and 3"),
        (r"(\pm 3, 0)", "(3,0), (-3,0)", "(-3, 0) and (3, 0)"),
        ("(1, 2)", "y = 2, x = 1"),
        (r"\{2\pm\sqrt{5}, 1\}", r"\{1, 2+\sqrt{5}, 2-\sqrt{5}\}"),
    ],
    "intervals": [
        ("[1, 4)", r"1 \le x < 4", r"x \in [1, 4)", "4 > x >= 1", r"\left[1,\,4\right)"),
        (r"(-\infty, 3)", "x < 3", "3 > x", "(-inf, 3)", r"x \in (-\infty, 3)"),
        (r"(3, \infty)", r"(3, +\infty)", "x > 3", "(3, ∞)"),
        (r"(-\infty,1) \cup (4,\infty)", r"(4,\infty) \cup (-\infty,1)", "x<1 or x>4", "(-inf,1) U (4,inf)"),
        (r"x \neq 3", r"(-\infty,3)\cup(3,\infty)", "x ≠ 3"),
        ("(1,5)", "x > 1 and x < 5", "1 < x < 5"),
        ("[-4,4]", r"|x| \le 4", r"-4 \le x \le 4"),
        (r"\mathbb{R}", "all real numbers", r"(-\infty, \infty)", "ℝ"),
        (r"\mathbb{R} \setminus \{3\}", r"x \ne 3", r"(-\infty,3)\cup(3,\infty)"),
        ("x > 3", r"\{x \mid x > 3\}", r"\{x : 3 < x\}"),
    ],
    "equations": [
        ("y = 3x - 2", "3x - y = 2", "y=-2+3x", "3x-2", "6x - 2y - 4 = 0", "f(x) = 3x - 2"),
        ("x^2+y^2=9", "y^2 + x^2 - 9 = 0", r"\frac{x^2}{9} + \frac{y^2}{9} = 1"),
        ("x + y < 4", "y < 4 - x", "4 > x + y"),
        (
            "12",
            "x = 12",
            "AB = 12",
            r"\angle A = 12^\circ",
            "f(2) = 12",
            "Area = 12",
            r"\text{Area} = 12",
            "7 + 5 = 12",
        ),
        ("t = 4", "4", "4 seconds", "T = 4"),
    ],
    "units": [
        (
            "12",
            "12 cm",
            r"12\text{ cm}^2",
            r"12~\mathrm{cm}^{3}",
            "12 cm²",
            "12 m/s",
            "12 meters per second",
            "12 km/h",
        ),
        ("12 cm^2", "12 square centimeters", "12", r"12 \text{ cm}^2"),
        (r"12 \text{ m/s}", "12 meters per second", "12 m/s"),
        (r"45^\circ", "45", "45°", "45 degrees", r"\theta = 45^{\circ}"),
        (r"36\pi", r"36\pi \text{ square units}", "36π cm³", r"The volume is $36\pi$ cubic inches."),
        (r"3\frac{1}{4} \text{ cups}", "3.25", "13/4 cups"),
        ("5 miles", "5 mi", "5"),
        ("9 pens", "9", "9 pens", "9 blue pens", "Mia has 9 pens", "There are 9 pens left."),
        ("4 miles east", "4 miles", "4"),
    ],
    "money and percentages": [
        (r"\$18.50", "18.5", "$18.50", "18.50 dollars", "USD 18.5", "x = $18.50"),
        ("35%", "35", r"35\%", "0.35", "35 percent", "x = 35%"),
        ("35", "35%", r"35\%"),
        ("3/4", "75%"),
    ],
    "markup and sentences": [
        ("3", "**3**", "__3__", "`3`", "# 3", "$$3$$", r"\(3\)", r"\[\boxed{3}\]", r"\fbox{3}", "*3*"),
        ("3", "The answer is 3.", "The final answer is: **3**", r"The answer is \boxed{3}.", "Answer: 3", "So x = 3"),
        ("3", "Therefore, the value of $x$ is $3$.", "There are 3 pens left.", "Mia has 3 pens.", "approximately 3"),
        ("3", "3 (three)", r"\approx 3", r"Since 1+2=3, we get \boxed{3} pens.", r"x = \boxed{3}"),
        ("3", r"\therefore x = 3", r"\text{The answer is } 3", "<b>3</b>", r"3 \checkmark", "3 is the answer."),
        (
            "3",
            r"\begin{aligned} x &= 1 + 2 \\ &= 3 \end{aligned}",
            r"The length of $\overline{AB}$ is 3.",
            "2 x 1.5 = 3",
        ),
        (r"2\pi", r"\boxed{2}\pi", r"\boxed{2\pi}", r"**$2\pi$**"),
    ],
    "words": [
        (r"\text{Oslo}", "Oslo", "oslo.", "**Oslo**", "The answer is Oslo.", r"\boxed{\text{Oslo}}", '"Oslo"'),
        (r"\text{odd}", "odd", "The function is odd.", "Odd"),
        ("True", "true", r"\text{True}"),
        ("an ellipse", "Ellipse", "the ellipse"),
    ],
    "choices": [
        ("D", "(D)", "d", "[D]", "D.", "Answer: D", "The correct option is (D).", "D) none of these", "**D**"),
        ("(D) 12 pens", "D", "(D)", "12 pens", "D is correct"),
        (r"\textbf{(D)}", "D", r"\mathrm{(D)}", r"\boxed{D}", "D. 12 pens", "D: 12", "option D"),
    ],
    "what is read as text": [
        ("8:15 a.m.", "8:15 AM", "8:15 am"),
        ("3:2", "3 : 2"),
        (r"x \equiv 2 \pmod{5}", r"x\equiv2\pmod{5}"),
        ("2 hours and 5 minutes", "2 hours and 5 minutes."),
        ("1, 4, \\ldots, n^2", "1, 4, ..., n^2"),
    ],
    "bases": [
        ("1011_2", "1011_{2}", "$1011_2$", "1011 (base 2)", r"1011_{\text{two}}"),
        ("77", "77_{10}"),
    ],
}
WRONG = {
    "numbers": [
        ("7", "-7", "77", "7.0000001", "7 8", "7, 8", "7 or 8", "7-8", "7 - 1", "6 7", "0.7", "7e1"),
        ("7", "7x", "7!", "7^2", "7²", "7i", r"7\pi", r"\frac{7}{x}", "7_8", r"\pm 7", "7 + C", r"\{7, 8\}", "[7, 8]"),
        ("3/8", "8/3", "0.37", "3", "38", r"\frac{8}{3}", "-3/8", "3/8/1"),
        ("11/2", "1 1/2", "11", "5"),
        ("0.000012", "0.000013", "0"),
        ("1e-9", "2e-9", "0"),
        ("1/0", "2/0"),
        ("12", "1 2", "twelve"),
    ],
    "sums still to be done": [
        ("7", "2 + 5", "14/2", "21/3", r"\sqrt{49}", r"\frac{14}{2}", "7/1", "3 + 4 =", "2^3 - 1", "|−7|"),
        ("3/8", "6/16", "1/4 + 1/8", r"\frac{6}{16}"),
    ],
    "words that make it another answer": [
        ("7", "not 7", "The answer is not 7", "more than 7", "at least 7", "7 and a half", "7 to 8", "7 million"),
        ("7", "7:00", "7 am", "5 feet 7", "7 minus 1", "7...", r"7, \ldots", "everything but 8"),
        (r"\text{even}", "The function is neither even nor odd", "not even", "odd", "even or odd"),
        ("Oslo", "Bergen", "Oslo or Bergen", "O"),
        ("tab", "bat"),  # as products of letters they would be equal
    ],
    "boxes": [("7", r"\boxed{6} \boxed{7}", r"\boxed{7}, \boxed{8}", r"-\boxed{7}", r"\boxed{7}\pi", r"\boxed{7")],
    "close by": [
        (r"\sqrt{2}", "1.414", "1.5", r"\sqrt{3}", "2", r"-\sqrt2", r"\sqrt[3]{2}"),
        (r"\pi", "3.14", "22/7", "e", "3.1416"),
        ("e^{-90}", "e^{-91}", "0"),
        ("2^{90}", "2^{91}", "1237940039285380274899124225"),
        ("x + 1", "x + 1.0000001", "x", "x - 1", "y + 1", "1"),
        (r"\ln 2", r"\log 2", "2", r"\ln 3"),
    ],
    "algebra": [
        ("x^2", "x^3", "2x", "x", "-x^2", "X^2", "y^2"),
        ("|x|", "x", "-x"),
        (r"\sqrt{x^2}", "x"),
        ("2a", "2b", "2A", "a"),
        (r"\sin x", r"\cos x", r"\sin 2x", "sin"),
        ("1+i", "1-i", "1", "i"),
        (r"1 - \frac{1}{\mathrm{e}}", r"1 + \frac{1}{\mathrm{e}}", "1"),
    ],
    "several values": [
        ("7, 8", "7", "7, 9", "7, 8, 9", "(8, 7)", "78"),
        ("(7, 8)", "(8, 7)", r"\{7, 8\}", "[7, 8]", "7", "(7, 8, 9)", "x = 8, y = 7"),
        (r"\pm 7", "7", "-7", r"\pm 8"),
        (r"\{1,2\}", r"\{1,2,3\}", r"\{1,3\}", r"\{1\}", "(1, 2)"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"\begin{pmatrix} 1 & 2 \\ 4 & 3 \end{pmatrix}", "(1,2,3,4)"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}", "(2, 1)", "1"),
        ("5", "x = 5 or x = 6", "x = 5, y = 6", "5, 5"),
    ],
    "intervals": [
        ("[7, 8)", "(7, 8]", "[7, 8]", "(7, 8)", r"7 \le x \le 8", r"7 < x \le 8"),
        (r"x \in [7,8]", r"y \in [7,8]", r"x \in (7,8)"),
        ("(-4,4)", "|x| < 5", r"|x| \le 4", "|x| > 4"),
        ("x > 7", r"x \ge 7", "x < 7", "y > 7", "7", "x = 7", "x > 8"),
        (r"(-\infty, 2) \cup (3, \infty)", r"(-\infty, 3) \cup (3, \infty)", r"(-\infty, 2)", "2 < x < 3"),
        (r"(-\infty, 2)", r"(+\infty, 2)", r"(\infty, 2)"),
    ],
    "equations": [
        ("y = 7x", "x = 7y", "y = 8x", "7", "y = 7z", "y = 7x + 1", "y < 7x"),
        ("x = 7", "y = 7", "2x = 14", "x = -7"),
        ("7", "x^2 = 7", "2x = 7", "7 = x", "10 = 7 = 10", "x < 7", "xy = 7", "n(n+1) = 7"),
        ("2x + 4y = 6", "2x + 4y = 7", "6", "x + 2y = 6", "2x - 4y = 6", "2x + 4y"),
        ("(x-2)^2 + y^2 = 4", "(x+2)^2 + y^2 = 4", "4", "x = 4"),
        ("x + y < 4", "x + y > 4", "x + y = 4", r"x + y \le 4"),
    ],
    "units": [
        ("12 cm^2", "12 cm^3", "12 m^2", "12 cm"),
        ("12 m/s", "12 km/s", "12 m/h", "13 m/s"),
        ("18 dollars", "18 pounds of flour or so", "18 yen", "18 cents"),
        ("8:15 a.m.", "8:15 p.m.", "8", "8:15"),
        ("9 pens", "9 cups", "8 pens"),
        ("4 miles east", "4 miles west", "5 miles east"),
        ("May 4", "June 4", "4", "May 5"),
        ("2 hours and 5 minutes", "2", "5", "2 hours", "2 hours and 6 minutes"),
        ("90", r"\frac{\pi}{2}"),
        ("35%", "3.5", "350%", "35.1%"),
    ],
    "choices": [
        ("(D) 12 pens", "C", "13 pens", "(C) 12 pens"),
        ("D", "C", "C, D", "C or D", "Both C and D", "not D", "DC", "Dora", "C) one D) two", "(C) or (D)", "CD"),
    ],
    "what is read as text": [
        (r"x \equiv 2 \pmod{5}", r"x \equiv 2 \pmod{6}", "2", "5"),
        ("1, 4, \\ldots, n^2", "1, 4", "1, 8, \\ldots, n^3"),
        (r"\sum_{k=1}^n k", r"\sum_{k=1}^n k^2", "k"),
        (r"\begin{cases} 1 & x>2 \\ 0 & x \le 2 \end{cases}", r"\begin{cases} 1 & x>3 \\ 0 & x \le 3 \end{cases}"),
    ],
    "bases": [("1011_2", "1011", "11", "1011_3", "1010_2")],
}


def cases(table: dict[str, list[tuple[str, ...]]]) -> list[tuple[str, str]]:
    return [(reference, answer) for rows in table.values() for reference, *answers in rows for answer in answers]


@pytest.mark.parametrize(("reference", "answer"), cases(RIGHT))
def test_right(reference: str, answer: str) -> None:
    assert same_mathematics(reference, answer)


@pytest.mark.parametrize(("reference", "answer"), cases(WRONG))
def test_wrong(reference: str, answer: str) -> None:
    assert not same_mathematics(reference, answer)


@pytest.mark.parametrize(
    "reference", sorted({row[0] for table in (RIGHT, WRONG) for rows in table.values() for row in rows})
)
def test_every_reference_is_right_for_itself(reference: str) -> None:
    for written in (reference, f"${reference}$", rf"\boxed{{{reference}}}", f" {reference} .", f"**{reference}**"):
        assert same_mathematics(reference, written)


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [
        ("12", "12 pens", True),
        ("12 pens", "x = 12", True),
        ("12", "13", False),
        ("12", "5 + 7", False),
        ("0.25", "1/4", True),
        ("2/8", "1/4", True),
        ("twelve", "12", None),
        ("x + 1", "x + 1", None),
        ("3, 4", "3, 4", None),
        ("2^5", "32", None),
    ],
)
def test_by_number(reference: str, answer: str, right: bool | None) -> None:
    assert same_number(reference, answer) is right


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [("(A)", "A. red", True), ("A", "The answer is (B)", False), ("12", "12", None), ("A, B", "A", None)],
)
def test_by_choice(reference: str, answer: str, right: bool | None) -> None:
    assert same_choice(reference, answer) is right


@pytest.mark.parametrize(
    ("reference", "answer", "right"),
    [
        (r"(?i)^(yes|yep)$", "YES", True),
        (r"(?i)^(yes|yep)$", "yes!", False),
        (r"4[.,]5\s?(kg|kilo(gram)?s?)?", "4,5 kg", True),
        (r"4[.,]5\s?(kg|kilo(gram)?s?)?", "4.5 kilograms", True),
        (r"4[.,]5", "44.5", False),
        (r"a{2,3}b*?", "aaabb", True),
        (r"a{2,3}b*?", "aaaab", False),
        (r"[^\]x]+", "abc", True),
        (r"\d+", r"\d+", True),
        (r"(a)\1", "aa", None),
        ("(?=a)a", "a", None),
        ("(a", "a", None),
    ],
)
def test_by_pattern(reference: str, answer: str, right: bool | None) -> None:
    assert same_pattern(reference, answer) is right


def test_patterns_match_as_those_of_the_standard_library() -> None:
    draw = random.Random(5)

    def part(depth: int = 0) -> str:
        inner = part(depth + 1) + part(depth + 1) if depth < 2 else "a"
        count = draw.choice(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", ""])
        return draw.choice(["a", "b", ".", "[ab]", "[^a]", r"\d", f"({inner}|b)", f"(?:{inner})"]) + count

    for _ in range(200):
        pattern, text = part() + part(), "".join(draw.choices("ab1", k=draw.randint(0, 6)))
        assert matches(pattern, text) == bool(re.fullmatch(pattern, text)), (pattern, text)


def test_by_text() -> None:
    assert same_text("New York", " New\n York ")
    assert not same_text("12", "12.0")
