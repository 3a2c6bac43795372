"""What a cell reads and writes, by Python's own scoping."""

from __future__ import annotations

import builtins

import pytest

from cumulus_jupyter.packaging import read_cell


def names(source: str) -> tuple[set[str], set[str]]:
    found = read_cell(source)
    return {name for name in found.reads if not hasattr(builtins, name)}, set(found.writes)


CELLS = [
    # plain statements
    ("x = 1", "", "x"),
    ("x = y", "y", "x"),
    ("x = 1\ny = x", "", "x y"),
    ("x += 1", "x", "x"),
    ("x = 0\nx += 1", "", "x"),
    ("a, (b, *c) = d", "d", "a b c"),
    ("a = b = c", "c", "a b"),
    ("x: int = 3", "", "x"),
    ("x: T", "T", ""),
    ("box.attr = 1", "box", ""),
    ("box[i] = v", "box i v", ""),
    ("box.attr += 1", "box", ""),
    ("assert ok, message", "ok message", ""),
    ("print(f'{x!r:>{width}} {y=}')", "x width y", ""),
    # branches and loops
    ("if a:\n    b = 1\nelse:\n    b = 2\nprint(b)", "a", "b"),
    ("if a:\n    b = 1\nprint(b)", "a b", "b"),
    ("if a:\n    raise ValueError\nelse:\n    b = 1\nb", "a", "b"),
    ("for i in xs:\n    t = i\nprint(t)", "xs t", "i t"),
    ("for i in range(3):\n    t = i\nprint(t, i)", "", "i t"),
    ("for i in range(3):\n    if i: break\n    t = i\nprint(t)", "t", "i t"),
    ("for i in range(n):\n    pass\nelse:\n    z = q", "n q", "i z"),
    ("while go():\n    x = 1\nx", "go x", "x"),
    ("while True:\n    x = f()\n    if x: break", "f", "x"),
    ("try:\n    import fast\nexcept ImportError as problem:\n    fast = None\nfast", "", "fast problem"),
    ("try:\n    x = f()\nfinally:\n    done = True\ndone", "f", "x done"),
    ("try:\n    x = f()\nexcept ValueError:\n    pass\nx", "f x", "x"),
    ("with open(p) as f:\n    text = f.read()\ntext", "p", "f text"),
    ("with suppress(E):\n    x = f()\nx", "suppress E f x", "x"),
    ("match point:\n    case (0, y): r = y\n    case P(x=v, y=w): r = v\n    case _: r = None\nr",
     "point P", "y r v w"),
    ("match command:\n    case {'go': where, **rest}: pass\n    case [first, *others] if limit: pass\nfirst",
     "command limit first", "where rest first others"),
    ("match v:\n    case colors.RED | colors.BLUE as found: pass", "v colors", "found"),
    # short circuits and walrus
    ("if (n := len(xs)) > 3: print(n)", "xs", "n"),
    ("a and (b := 1)\nb", "a b", "b"),
    ("x = (a := 1) if c else (a := 2)\na", "c", "a x"),
    # scopes
    ("y = [a for a in b if c]", "b c", "y"),
    ("[a for a in a]", "a", ""),
    ("[(p, q) for p in ps for q in p.parts]", "ps", ""),
    ("[last := item for item in items]\nlast", "items last", "last"),
    ("{k: v for k, v in pairs.items()}", "pairs", ""),
    ("f = lambda a, *b, c=d, **e: a + b + g", "d", "f"),
    ("f = lambda a, c=d: a + g\nf(1)", "d g", "f"),
    ("map(lambda a: a + k, xs)", "k xs", ""),
    ("def f(a, b=c): return a + d", "c", "f"),
    ("def f(a, b=c): return a + d\nf(1)", "c d", "f"),
    ("d = 1\ndef f(): return d\nf()", "", "d f"),
    ("def f(): return d\nd = 1\nf()", "", "d f"),
    ("def f(): return d\nf()\nd = 1", "d", "d f"),
    ("def f(): return g()\ndef g(): return deep\nf()", "deep", "f g"),
    ("def f():\n    def g():\n        return x\n    x = 1\n    return g\nf()", "", "f"),
    ("def f():\n    def g():\n        nonlocal x\n        x = y\n    x = 1\nf()", "y", "f"),
    ("def f():\n    global total\n    total = 1\nf()", "", "f total"),
    ("def f():\n    global total\n    total += 1\nf()", "total", "f total"),
    ("def f():\n    for i in xs: pass\n    return i\nf()", "xs", "f"),
    ("def f():\n    import os\n    return os.sep\nf()", "", "f"),
    ("def f():\n    try: pass\n    except E as e: print(e)\nf()", "E", "f"),
    ("def f(): return f()\nf()", "", "f"),
    ("@deco(arg)\ndef f(): return x", "deco arg x", "f"),
    ("async def f(): return [a async for a in b]\nawait f()", "b", "f"),
    ("await w", "w", ""),
    ("async with lock as held:\n    pass\nasync for e in stream: pass", "lock stream", "held e"),
    # classes
    ("class A(Base, metaclass=Meta): pass", "Base Meta", "A"),
    ("class A:\n    n = 1\n    m = n + k", "k", "A"),
    ("class A:\n    n = n", "n", "A"),
    ("class A:\n    n = 1\n    def get(self): return n\nA()", "n", "A"),
    ("class A:\n    xs = source\n    ys = [x for x in xs]", "source", "A"),
    ("class A:\n    def get(self): return other", "", "A"),
    ("class A:\n    def get(self): return other\nA().get()", "other", "A"),
    ("class A:\n    def get(self): return __class__, super().x\nA()", "", "A"),
    ("class A:\n    def get(self): return __hidden\nA()", "_A__hidden", "A"),
    ("class A:\n    class B(C):\n        def f(self): return d\nA.B()", "C d", "A"),
    ("class A:\n    global g\n    g = 1\ng", "", "A g"),
    ("@dataclass\nclass A:\n    xs: list = field(default_factory=lambda: start)",
     "dataclass field start", "A"),
    ("def f():\n    class A:\n        y = x\n        def g(self): return z\n    return A\nf()", "x z", "f"),
    # imports
    ("import a.b as c", "", "c"),
    ("import a.b", "", "a"),
    ("from a import b as c, d", "", "c d"),
    # strings that are code
    ("eval('x + y')", "x y", ""),
    ("frame.query('age > @limit')", "frame limit", ""),
    ("globals()['x'] + 1", "x", ""),
    ("globals()['x'] = 1", "", "x"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "reads", "writes"), CELLS)
def test_reads_and_writes(source: str, reads: str, writes: str) -> None:
    assert names(source) == (set(reads.split()), set(writes.split()))


SHELL_CELLS = [
    ("%time x = f(y)", "f y", "x"),
    ("%timeit -n 10 -r 3 f(y)", "f y", ""),
    ("%timeit x = f(y)", "f y", ""),
    ("%%time\nx = f(y)\nz = x", "f y", "x z"),
    ("%%timeit setup = 1\nf(y)", "f y", ""),
    ("%%capture out\nprint(x)", "x", "out"),
    ("%%bash --out text\necho $HOME", "", "text"),
    ("!echo $x ${y} {z.attr} $$w", "x y z", ""),
    ("!awk '{print $1}' file", "", ""),
    ("files = !ls {folder}", "folder", "files"),
    ("%cd $where", "where", ""),
    ("x?", "x", ""),
    ("?x", "x", ""),
    ("%matplotlib inline\nplot(x)", "plot x", ""),
    ("for name in names:\n    !touch $name", "names", "name"),
]


@pytest.mark.parametrize(("source", "reads", "writes"), SHELL_CELLS)
def test_the_shells_own_syntax(source: str, reads: str, writes: str) -> None:
    assert names(source) == (set(reads.split()), set(writes.split()))


@pytest.mark.parametrize(
    ("source", "certain"),
    [
        ("x", True),
        ("for i in range(9): x", True),
        ("with a: x", True),
        ("if a: x", False),
        ("a and x", False),
        ("y if a else x", False),
        ("try: x\nexcept NameError: pass", False),
        ("try: x\nexcept ValueError: pass", True),
        ("def f(): x\nf()", False),
        ("lambda: x", False),
        ("%timeit x", False),
    ],
)
def test_which_reads_are_certain(source: str, certain: bool) -> None:
    assert ("x" in read_cell(source).certain) is certain


@pytest.mark.parametrize(
    ("source", "soft"),
    [("if a: x = 1\nx", True), ("!echo $x", True), ("eval('x')", True), ("x", False), ("if a: x", False)],
)
def test_reads_a_cell_may_do_without(source: str, soft: bool) -> None:
    assert ("x" in read_cell(source).soft) is soft


def test_deleted_names_need_no_value() -> None:
    found = read_cell("del x, y.z")
    assert (found.reads, found.deletes, found.findings.needed.keys()) == (("y",), ("x",), {"x"})


def test_a_deleted_name_is_read_again_afterwards() -> None:
    assert "x" in read_cell("x = 1\ndel x\nx").reads


@pytest.mark.parametrize(
    ("source", "has_result"),
    [
        ("x", True), ("x;", False), ("x ;  # quiet", False), ("x # ; loud", True), ("x = 1", False),
        ("'é';", False), ("x\n\n# end\n", True), ("if a:\n    x", False), ("%time f()", True),
    ],
)  # fmt: skip
def test_whether_it_ends_in_a_result(source: str, has_result: bool) -> None:
    assert read_cell(source).has_result is has_result


@pytest.mark.parametrize(
    ("source", "imports"),
    [
        ("import a.b as c, d", "a.b d"),
        ("from a.b import c", "a.b a.b.c"),
        ("from . import c", ". .c"),
        ("def f():\n    import late", "late"),
        ("importlib.import_module('by.name')", "by.name"),
    ],
)
def test_modules_imported_anywhere(source: str, imports: str) -> None:
    assert read_cell(source).imports == tuple(imports.split())


@pytest.mark.parametrize("source", ["from m import *", "exec(code)", "%unheard_of x", "globals().update(d)"])
def test_cells_that_can_make_any_name(source: str) -> None:
    assert read_cell(source).opaque


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = (", 4), ("x = 1\nfor", 5), ("return 1", 4), ("x = 1\nbreak", 5), ("def f(a, a): pass", 4),
        ("nonlocal x", 4), ("x = 1\n  y = 2", 5), ("'unfinished", 4),
    ],
)  # fmt: skip
def test_syntax_errors_are_on_the_notebooks_lines(source: str, line: int) -> None:
    with pytest.raises(SyntaxError) as caught:
        read_cell(source, title="Cell In[7]", line_offset=3)
    assert (caught.value.filename, caught.value.lineno) == ("Cell In[7]", line)


@pytest.mark.parametrize("before", ["", "%time 1\n", "!ls\n"])
def test_an_indentation_that_ipython_minds_is_on_the_notebooks_lines_too(before: str) -> None:
    with pytest.raises(IndentationError, match="unindent does not match") as caught:
        read_cell(f"{before}if x:\n    y = 1\n  z = 2", title="Cell In[7]", line_offset=1)
    assert (caught.value.filename, caught.value.lineno) == ("Cell In[7]", 4 + bool(before))


def test_a_null_byte_is_a_syntax_error() -> None:
    with pytest.raises(SyntaxError):
        read_cell("x = '\0'")


def test_a_cell_of_comments_names_nothing() -> None:
    found = read_cell("# nothing\n")
    assert (found.reads, found.writes, found.has_result) == ((), (), False)


def test_a_message_that_names_a_line_names_the_notebook_cells() -> None:
    with pytest.raises(IndentationError, match="on line 2") as caught:
        read_cell("def f():\nx = 1", line_offset=1)
    assert caught.value.lineno == 3
