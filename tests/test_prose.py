"""Documents and docstrings stay readable: limits on words, and on each sentence."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
LONGEST_SENTENCE = 24

FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
BLOCK_START = re.compile(r"^\s*([-*>] |\d+\. )")
LEFT_OUT = re.compile(r"^\s*(\||#|!\[|<!--|\[[^\]]+\]: )")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)\s]*\)")
ABBREVIATION = re.compile(r"\b(et al|e\.g|i\.e|vs|cf|approx|No|Nos|Dr|St)\.", re.IGNORECASE)
SENTENCE_END = re.compile(r"(?<=[.!?])[\"')*_\]]*\s+(?=[\"'(*_\[]*[A-Z0-9\u00c0-\u024f§=→])")

SOURCE = ROOT / "src" / "rcae"
ROOMS = [
    "__init__.py",
    "__main__.py",
    "api",
    "base",
    "cli",
    "data",
    "detector",
    "drawing",
    "evaluation",
    "integrations",
    "line",
    "many",
    "model",
    "service",
    "study",
    "training",
]
"""Rooms whose docstrings and comments keep the rule; a room joins by one line."""
LONGEST_DOCSTRING_SENTENCE = 25
NO_SUBJECT = re.compile(
    r"[\"'(]*(about|above|across|after|against|along|although|among|and|around|as|at|because|before|"
    r"behind|below|beneath|besides?|between|beyond|but|by|despite|down|during|elsewhere|except|for|"
    r"from|how|however|if|in|inside|into|like|near|of|off|on|once|onto|or|otherwise|out|outside|over|"
    r"past|per|since|so|than|that|then|though|through|throughout|till|to|towards?|under|unless|"
    r"unlike|until|up|upon|what|whatever|when|whence|whenever|where|whereas|whereby|wherever|"
    r"whether|which|whichever|while|who|whoever|whom|whose|why|with|within|without)\b(?!-)",
    re.IGNORECASE,
)
"""First words of a sentence whose subject comes later."""
NO_VERB = re.compile(
    r"(a|all|an|another|any|both|each|either|every|he|it|its|no|one|the|this)\b", re.IGNORECASE
)
"""First words of a function's docstring that starts without an imperative verb."""

SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
ENTRY_NAME = re.compile(r"^[\w*.]+(, [\w*.]+)*: ")
QUOTED = re.compile(r"`[^`]*`|\[[^\]]*\]")
UNWRAPPED = (">>> ", "\b")
"""Starts of blocks without prose: examples, and what Click leaves as it is."""
TOOL_COMMENT = re.compile(r"#\s*(noqa|type:|pragma|fmt:|ruff)")


def words(text):
    return len(text.split())


def blocks(text):
    """Paragraphs and list items, each as one line, without code, tables and headings."""
    found = [[]]
    for line in FENCE.sub("", text).splitlines():
        if not line.strip() or LEFT_OUT.match(line):
            found.append([])
            continue
        if BLOCK_START.match(line):
            found.append([])
            line = BLOCK_START.sub("", line)
        found[-1].append(line.strip())
    return [" ".join(lines) for lines in found if lines]


def sentences(text):
    for block in blocks(text):
        plain = re.sub(r"`[^`]*`", "CODE", block)
        plain = LINK.sub(lambda link: link[1][:1].upper() + link[1][1:], plain)
        yield from SENTENCE_END.split(ABBREVIATION.sub(r"\1", plain))


def test_the_splitter_sees_each_sentence():
    text = "One. Two e.g. here, at 0.5 px. `code.py` is *three*! Is [it](a.md) four?\n\n- Five\n- Six\n"
    text += "\n```sh\nnot this. Nor this.\n```\n| nor. This |\n"
    assert list(sentences(text)) == [
        "One.",
        "Two e.g here, at 0.5 px.",
        "CODE is *three*!",
        "Is It four?",
        "Five",
        "Six",
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sentence_is_too_long(document):
    text = document.read_text(encoding="utf-8")
    assert [each for each in sentences(text) if words(each) > LONGEST_SENTENCE] == []


def test_the_readme_fits_its_limit():
    assert words((ROOT / "README.md").read_text(encoding="utf-8")) <= 1200


def test_the_documents_fit_their_limit():
    texts = [path.read_text(encoding="utf-8") for path in ROOT.glob("docs/*.md")]
    assert sum(map(words, texts)) <= 16_000


def test_the_experiments_fit_their_limit():
    assert words((ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")) <= 2500


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_figure_can_be_printed_again(document):
    """No result rests on a script that the repository lacks."""
    assert "not kept" not in document.read_text(encoding="utf-8")


def docstrings(tree: ast.AST) -> Iterator[tuple[ast.Constant, ast.AST | None]]:
    """Each docstring with the module, class or function that it describes; None for an attribute."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for place, statement in enumerate(body if isinstance(body, list) else ()):
            value = getattr(statement, "value", None)
            if isinstance(statement, ast.Expr) and isinstance(getattr(value, "value", None), str):
                yield value, None if place else node


def comments(text: str) -> Iterator[tuple[int, str]]:
    """Blocks of whole-line comments, each with its first line's number."""
    end = start = 0
    block: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        is_own_line = token.type == tokenize.COMMENT and token.line.lstrip().startswith("#")
        if not is_own_line or TOOL_COMMENT.match(token.string):
            continue
        if token.start[0] != end + 1:
            if block:
                yield start, " ".join(block)
            block, start = [], token.start[0]
        block.append(token.string.lstrip("# "))
        end = token.start[0]
    if block:
        yield start, " ".join(block)


def help_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Help of each command-line option."""
    for node in ast.walk(tree):
        is_help = isinstance(node, ast.keyword) and node.arg == "help"
        if is_help and isinstance(node.value, ast.Constant):
            yield node.value.lineno, str(node.value.value)


def paragraphs(docstring: str) -> Iterator[tuple[int, str]]:
    """Prose of a docstring: paragraphs and section entries, each with its line's offset.

    Code, examples, drawings, Click's unwrapped blocks and the names of entries are left out.
    """
    lines = docstring.expandtabs().split("\n")
    margin = min((_indent(line) for line in lines[1:] if line.strip()), default=0)
    lines = [lines[0].strip(), *(line[margin:].rstrip() for line in lines[1:]), ""]
    block: list[str] = []
    start = indent = 0
    in_section = is_skipped = False
    for number, line in enumerate(lines):
        is_entry = in_section and _indent(line) <= indent and ENTRY_NAME.match(line.lstrip())
        if block and (not line or SECTION.match(line) or is_entry):
            text = " ".join(block)
            yield start, ENTRY_NAME.sub("", text) if in_section else text
            block = []
        is_heading = SECTION.match(line) is not None
        in_section = is_heading or (in_section and (not line or _indent(line) > 0))
        is_skipped = bool(line) and (is_skipped or line.lstrip().startswith(UNWRAPPED))
        is_drawing = _indent(line) > 0 and not in_section and not block
        if not line or is_heading or is_skipped or is_drawing:
            continue
        if not block:
            start, indent = number, _indent(line)
        block.append(line.strip())


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def faults(text: str, *, limit: int = LONGEST_DOCSTRING_SENTENCE) -> Iterator[str]:
    """What breaks the rule in one paragraph, each with its sentence."""
    plain = ABBREVIATION.sub(r"\1", QUOTED.sub("CODE", text))
    for sentence in SENTENCE_END.split(plain):
        if first := NO_SUBJECT.match(sentence):
            yield f"'{first[1]}' is no subject: {sentence}"
        if words(sentence) > limit:
            yield f"{words(sentence)} words, {limit} at most: {sentence}"


def is_plain_function(node: ast.AST | None) -> bool:
    """False for properties, whose docstrings name a value."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not any(
        isinstance(each, ast.Name) and each.id in ("property", "cached_property")
        for each in node.decorator_list
    )


def prose_faults(text: str) -> Iterator[tuple[int, str]]:
    """Each fault of a source file's docstrings, comments and help texts, with its line."""
    for constant, node in docstrings(ast.parse(text)):
        for offset, paragraph in paragraphs(str(constant.value)):
            yield from ((constant.lineno + offset, fault) for fault in faults(paragraph))
        if is_plain_function(node) and (first := NO_VERB.match(constant.value.lstrip())):
            yield constant.lineno, f"'{first[0]}' is no imperative verb"
    for line, other in [*comments(text), *help_texts(ast.parse(text))]:
        yield from ((line, fault) for fault in faults(other))


def sources() -> list[Path]:
    """Python files of the rooms that keep the rule."""
    places = [SOURCE / room for room in ROOMS]
    return [
        file
        for place in places
        for file in ([place] if place.is_file() else sorted(place.rglob("*.py")))
    ]


def test_the_docstring_lint_sees_what_it_should():
    text = '''"""Of a matrix.

    tree         Of no interest
    └── branch

>>> of("code")
"""
SIZE = 3
"""Side in pixels. By default, it is three."""
# Beyond this line all is well.
def resize(image, size):
    """The image, resized.

    Args:
        image: any array [height, width, 3].
        size: of the result,
            with the width first.

    Raises:
        ValueError: the size is negative.

    Returns:
        [height, width, 3], its first line
        without a name.
    """
@property
def size():
    """The size, with `of` in code."""
@option("--size", help="Of the image.")
def help():
    """Print the help.

    \\b
    Of things that Click leaves as they are.
    """
'''
    assert sorted(prose_faults(text)) == [
        (1, "'Of' is no subject: Of a matrix."),
        (9, "'By' is no subject: By default, it is three."),
        (10, "'Beyond' is no subject: Beyond this line all is well."),
        (12, "'The' is no imperative verb"),
        (16, "'of' is no subject: of the result, with the width first."),
        (29, "'Of' is no subject: Of the image."),
    ]
    assert list(faults("One two three. Four.", limit=2)) == ["3 words, 2 at most: One two three."]


@pytest.mark.parametrize("source", sources(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_docstrings_and_comments_keep_the_prose_rule(source):
    found = prose_faults(source.read_text(encoding="utf-8"))
    place = source.relative_to(ROOT)
    assert [f"{place}:{line}: {fault}" for line, fault in sorted(found)] == []
