#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Can the tests fail? Draws random mistakes of one token, makes each in a copy of the tree, and runs the tests that could notice.

usage: tools/mistakes.py [--seed N] [--count N] [--tests REGEX] [--keep DIR] [--list] [FOLDER or FILE...]

FOLDER: where mistakes are made (src/compress src/train src/report), in turn in each; within one every place is as likely as any other:
  a comparison     < <= > >= == != becomes its neighbour or its opposite
  a sign           + - += -=
  a bound          a whole number that is compared, added or taken off, returned, chosen, or given to COP_MIN or COP_MAX, one more or one
                   less; COP_MIN and COP_MAX; the range of an option. Lengths of arrays are left alone.
  a condition      if (x) becomes if (!(x)), !x becomes x, && becomes ||
A mistake that does not compile is drawn again. One that changes nothing (an equivalent one) counts as missed, as nobody can tell.

Run are the tests of the folders of the same names (tests/compress for src/compress), which are quick, or those whose names fit --tests: more of them
catch more. One line a mistake: place, what became what, the test that failed, or MISSED; the last line is the rate. The copy is in TMPDIR, or in --keep
DIR, which is left there and makes the next call quicker. tools/mutants.sh makes the mistakes that were found worth keeping.
"""
import argparse, os, random, re, resource, shutil, signal, subprocess, sys, tempfile, time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ["src/compress", "src/train", "src/report"]
SLOW = {"test_data_real", "test_data_fetch", "test_reference"}  # with --tests only
NEIGHBOUR = {"<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="]}
SIGN = {"+": "-", "-": "+", "+=": "-=", "-=": "+="}


def code_of(text):
    """The text with everything that is no code (comments, strings, lines of the preprocessor) as blanks, of the same length."""
    blank = lambda m: re.sub(r"[^\n]", " ", m.group())
    text = re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)
    return re.sub(r"^[ \t]*#(?:\\\n|[^\n])*", blank, text, flags=re.M)


def closing(code, at):
    """The place of the bracket that closes the one at `at`, or -1."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] == "(") - (code[i] == ")")
        if not depth:
            return i
    return -1


def places(code):
    """Every (begin, end, new text) that is one mistake."""
    out = []
    for m in re.finditer(r"(?<=[\w)\]] )(<=|>=|==|!=|<|>)(?= [\w(!&*\-'])", code):
        out += [(m.start(), m.end(), [n for n in NEIGHBOUR[m.group()]])]
    for m in re.finditer(r"(?<= )(\+=|-=|\+|-)(?= )", code):
        out += [(m.start(), m.end(), [SIGN[m.group()]])]
    number = r"(?<![\w.])(\d+)(?![\w.])"
    before = r"(?:(?:[<>=!]=|[<>+\-?:]) |return |[+\-]= )"
    for m in re.finditer(f"{before}{number}|{number}(?= (?:[<>=!]=|[<>+\\-:]) )", code):
        g = 1 if m.group(1) is not None else 2
        n = int(m.group(g))
        out += [(m.start(g), m.end(g), [str(n + 1)] + ([str(n - 1)] if n else []))]
    for m in re.finditer(r"COP_(MIN|MAX)(?=\()", code):
        out += [(m.start(), m.end(), ["COP_MAX" if m.group(1) == "MIN" else "COP_MIN"])]
        end = closing(code, m.end())
        for k in re.finditer(r"(?<=[(, ])(\d+)(?=[,)])", code[m.end():end + 1]):
            n = int(k.group())
            out += [(m.end() + k.start(), m.end() + k.end(), [str(n + 1)] + ([str(n - 1)] if n else []))]
    for m in re.finditer(r"COP_OPT_(?:WHOLE|REAL|RATES)\(", code):
        for k in re.finditer(r"(?<=, )(\d+)(?=,)", code[m.end():closing(code, m.end() - 1)]):
            n = int(k.group())
            out += [(m.end() + k.start(), m.end() + k.end(), [str(n + 1)] + ([str(n - 1)] if n else []))]
    for m in re.finditer(r"\b(?:if|while) (?=\()", code):
        end = closing(code, m.end())
        if end > 0:
            out += [(m.end(), end + 1, [None])]  # None: the condition, negated
    for m in re.finditer(r"!(?=[\w(*])", code):
        out += [(m.start(), m.end(), [""])]
    for m in re.finditer(r"(?<= )(&&|\|\|)(?= )", code):
        out += [(m.start(), m.end(), ["||" if m.group() == "&&" else "&&"])]
    return out


def all_places(tree, folders, draw):
    """Places in the files of each folder in a random order, one of the first folder, one of the second and so on."""
    each = []
    for folder in folders:
        files = subprocess.run(["git", "ls-files", "--", folder], cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\n")
        found = []
        for f in sorted(f for f in files if f.endswith((".c", ".def"))):
            code = code_of(open(os.path.join(tree, f), encoding="utf-8").read())
            found += [(f,) + p for p in sorted(set((b, e, tuple(n)) for b, e, n in places(code)), key=str)]
        draw.shuffle(found)
        each.append(found)
    return [found[i] for i in range(max(map(len, each))) for found in each if i < len(found)]


class Tree:
    """A copy of the tree with a build of it."""

    def __init__(self, where):
        self.src, self.build = os.path.join(where, "src"), os.path.join(where, "src", "build") # the program finds its recipes beside it
        files = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=True).stdout.split(b"\0")
        for f in filter(None, (os.fsdecode(f) for f in files)):
            a, b = os.path.join(TOP, f), os.path.join(self.src, f)
            if not os.path.exists(a):
                continue
            if os.path.exists(b) and open(a, "rb").read() == open(b, "rb").read():
                continue
            os.makedirs(os.path.dirname(b), exist_ok=True)
            shutil.copy(a, b)
        for folder, _, names in os.walk(os.path.join(self.src, "src")):  # of an earlier call
            for n in names:
                if not os.path.exists(os.path.join(TOP, os.path.relpath(os.path.join(folder, n), self.src))):
                    os.remove(os.path.join(folder, n))
        if subprocess.run(["cmake", "-S", self.src, "-B", self.build, "-G", "Ninja", "-DCOP_PORTABLE=ON"], capture_output=True).returncode:
            sys.exit("mistakes: the tree cannot be configured")

    def make(self, targets, jobs):
        return subprocess.run(["cmake", "--build", self.build, "-j", str(jobs), "--target"] + targets, capture_output=True, text=True)

    def run(self, test, limit):
        """(did it pass, seconds)"""
        def held():
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        began = time.time()
        p = subprocess.Popen(["./" + test], cwd=os.path.join(self.build, "tests"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=held, start_new_session=True)
        try:
            return p.wait(limit) == 0, time.time() - began
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.wait()
            return False, time.time() - began


def tests_of(folders, regex):
    """The tests in the folders that mirror those of the mistakes, or those whose names fit."""
    files = subprocess.run(["git", "ls-files", "--", "tests"], cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\n")
    near = tuple("/".join(["tests"] + f.split("/")[1:2]) + "/" for f in folders)
    names = [(f, os.path.basename(f)[:-2]) for f in files if re.search(r"/test_\w+\.c$", f)]
    return [n for f, n in names if (re.search(regex, n) if regex else f.startswith(near) and n not in SLOW)]


def in_order(tests, seconds, f):
    """Those of the file's own folder first, then the quick ones."""
    own = os.path.join(TOP, "tests", f.split("/")[1])
    near = os.listdir(own) if os.path.isdir(own) else []
    return sorted(tests, key=lambda t: (t + ".c" not in near, seconds[t]))


def main():
    a = argparse.ArgumentParser(usage=__doc__, add_help=True)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--count", type=int, default=10)
    a.add_argument("--tests")
    a.add_argument("--keep")
    a.add_argument("--list", action="store_true")
    a.add_argument("--jobs", type=int, default=1)
    a.add_argument("folder", nargs="*", default=FOLDERS)
    a = a.parse_args()
    if a.list:
        every = all_places(TOP, a.folder, random.Random(a.seed))
        for f, b, e, new in every[:a.count]:
            text = open(os.path.join(TOP, f), encoding="utf-8").read()
            print(f"{f}:{text.count(chr(10), 0, b) + 1}  {text[b:e]} -> {new}")
        print(f"{len(every)} places")
        return 0
    work = a.keep or tempfile.mkdtemp(prefix="coppice-mistakes-")
    try:
        return session(a, work)
    finally:
        if not a.keep:
            shutil.rmtree(work, ignore_errors=True)


def session(a, work):
    tree = Tree(work)
    draw = random.Random(a.seed)
    every = all_places(tree.src, a.folder, draw)
    tests = tests_of(a.folder, a.tests)
    built = tree.make(tests, a.jobs)
    if built.returncode:
        sys.exit("mistakes: the tree does not build\n" + built.stdout[-2000:])
    seconds = {}
    for t in list(tests):
        ok, seconds[t] = tree.run(t, 600)
        if not ok:
            tests.remove(t)
            print(f"{t} fails without any mistake: left out", flush=True)
    print(f"seed {a.seed}: {a.count} of {len(every)} places in {' '.join(a.folder)}; {len(tests)} tests, {sum(seconds[t] for t in tests):.0f} s", flush=True)
    caught = done = 0
    for f, b, e, new in every:
        if done == a.count:
            break
        path = os.path.join(tree.src, f)
        text = open(path, encoding="utf-8").read()
        to = draw.choice(new)
        to = "(!" + text[b:e] + ")" if to is None else to
        line = text.count("\n", 0, b) + 1
        by = None
        try:
            open(path, "w", encoding="utf-8").write(text[:b] + to + text[e:])
            if tree.make(["cop_objects"], a.jobs).returncode:
                continue  # it does not compile: another one
            for t in in_order(tests, seconds, f):
                if tree.make([t], a.jobs).returncode:
                    by = t + " (does not build)"
                    break
                if not tree.run(t, 60 + 20 * seconds[t])[0]:
                    by = t
                    break
        finally:
            open(path, "w", encoding="utf-8").write(text)
        done += 1
        caught += by is not None
        show = lambda s: " ".join(s.split()) if len(s) < 60 else " ".join(s.split())[:57] + "..."
        print(f"{f}:{line}  {show(text[b:e])} -> {show(to) or 'nothing'}   {'caught by ' + by if by else 'MISSED'}", flush=True)
        if not by:
            print("    " + text.split("\n")[line - 1].strip(), flush=True)
    print(f"{caught} of {done} mistakes caught: {100 * caught / max(done, 1):.0f} %, seed {a.seed}")
    return 0 if caught == done else 1


if __name__ == "__main__":
    sys.exit(main())
