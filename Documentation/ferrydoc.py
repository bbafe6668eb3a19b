# SPDX-License-Identifier: MIT
"""
Sphinx extension: builds pages from the sources and checks pages against them.

Directives:
  kernel-doc FILE        the kernel-doc comments of a C file. Options: ":doc: SECTION" for
                         one DOC section, ":doc:" for all of them, ":symbols:" for the
                         comments of functions, structures and enums
  doc-sections NAME      the DOC section NAME of each file of drm_driver/ that has one
  driver-symbols         the kernel-doc of functions and structures of drm_driver/, by file
  ferry-ioctls           a table of the ioctls in uapi/ferry_drm.h and their errors
  ferry-macros FILE      the constants of a header that are no ioctls
  ferry-params           the parameters of the module
  ferry-suites           the test programs and their descriptions
  ferry-hazards FILE     hazards.txt or old-bugs.txt as a table
  ferry-bench-rows       the rows and the subjects of the benchmarks
  ferry-result FILE      a file of results/: its header as a line of text, then its body;
                         with ":part: COMMAND", only what this command printed, of the commands
                         that the body shows after "$ "

Whether a test exists is looked up in the sources of the tests, and in the list that the
test program prints if it has been built.

Each check that fails is a warning, and "make docs" treats warnings as errors:
- kernel-doc complains about a comment;
- an ioctl or a constant of the uapi, an exported symbol of the library or a parameter
  of the module has no description;
- hazards.txt, old-bugs.txt or a page names a test that does not exist;
- a page or README.md has a name with ferry_ or DRM_FERRY_, a path or a make target that
  the sources do not have;
- the C example in README.md differs from its file, or a picture is missing;
- a file of results/ has no header, or no page shows it;
- no page shows a DOC section of drm_driver/.
"""
import fnmatch
import functools
import glob
import importlib.machinery
import importlib.util
import os
import re
import subprocess

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx import __display_version__
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

logger = logging.getLogger(__name__)
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(HERE)
UAPI = "uapi/ferry_drm.h"

_loader = importlib.machinery.SourceFileLoader("kerneldoc", os.path.join(HERE, "kerneldoc"))
_spec = importlib.util.spec_from_loader("kerneldoc", _loader)
kerneldoc = importlib.util.module_from_spec(_spec)
_loader.exec_module(kerneldoc)


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def files(*patterns):
    found = [f for p in patterns for f in sorted(glob.glob(os.path.join(TOP, p), recursive=True))]
    return [os.path.relpath(f, TOP) for f in found if os.path.isfile(f)]


class SourceDirective(SphinxDirective):
    """A directive that parses generated text."""

    def depends(self, path):
        self.env.note_dependency(os.path.join(TOP, path))

    def parse(self, text, source):
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(text.splitlines(), source), node)
        return node.children

    def warn(self, text):
        logger.warning(text, location=(self.env.docname, self.lineno))


class KernelDoc(SourceDirective):
    required_arguments = 1
    option_spec = {"doc": directives.unchanged, "symbols": directives.flag}

    def run(self):
        path = self.arguments[0]
        self.depends(path)
        args = ["-rst", "-sphinx-version", __display_version__]
        if "symbols" in self.options:
            args.append("-no-doc-sections")
        elif self.options.get("doc"):
            args += ["-function", self.options["doc"]]
        else:
            for name in re.findall(r"^ \* DOC: (.+)$", read(path), re.M):
                args += ["-function", name]
        _, text, _ = kerneldoc.run(args + [path])
        if "symbols" not in self.options:
            # kernel-doc begins a DOC section with a label and a title. Drop both: the page
            # has its own title.
            text = re.sub(r"^\.\. _.*:\n\n\*\*.*\*\*\n", "", text, flags=re.M)
        if not text.strip():
            self.warn(f"no such kernel-doc comment in {path}")
        return self.parse(text, path)


class DocSections(SourceDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        out, name = [], self.arguments[0]
        for path in files("drm_driver/*.[ch]"):
            if not re.search(rf"^ \* DOC: {re.escape(name)}$", read(path), re.M):
                continue
            self.depends(path)
            out.append(f".. container:: source\n\n   {path}\n\n.. kernel-doc:: {path}\n   :doc: {name}\n")
        if not out:
            self.warn(f"no file of drm_driver/ has a DOC section '{name}'")
        return self.parse("\n".join(out), "drm_driver")


class DriverSymbols(SourceDirective):
    def run(self):
        out = []
        for path in files("drm_driver/*.[ch]"):
            self.depends(path)
            if re.search(r"^/\*\*\n \* (?!DOC:)", read(path), re.M):
                out.append(f"{path}\n{'-' * len(path)}\n\n.. kernel-doc:: {path}\n   :symbols:\n")
        return self.parse("\n".join(out), "drm_driver")


def uapi_structs():
    """name -> text of its kernel-doc comment, for each struct of the header."""
    out = {}
    for comment, name in re.findall(r"/\*\*\n(.*?)\*/\nstruct (\w+) \{", read(UAPI), re.S):
        # The struct belongs to the last comment before it.
        comment = comment.split("/**\n")[-1]
        out[name] = re.sub(r"^ \* ?", "", comment, flags=re.M)
    return out


def uapi_ioctls():
    """List of (macro, number macro, direction, struct, summary)."""
    pattern = (r"(?:/\*\* ([^\n]*?): &struct \w+ \*/\n)?#define (DRM_IOCTL_FERRY_\w+) \\\n"
               r"\s*DRM_(IOWR|IOW|IOR)\(DRM_COMMAND_BASE \+ (DRM_FERRY_\w+), struct (\w+)\)")
    return [(macro, number, direction, struct, summary)
            for summary, macro, direction, number, struct in re.findall(pattern, read(UAPI))]


def uapi_errors(comment):
    """[(errno, cause)] of the "Errors:" paragraph in a comment."""
    m = re.search(r"^Errors:(.*)", comment, re.S | re.M)
    if not m:
        return []
    text = " ".join(m.group(1).split())
    parts = re.split(r"\b(E[A-Z0-9]+): ", text)
    return [(e, cause.strip()) for e, cause in zip(parts[1::2], parts[2::2])]


def kernel_doc_markup(text):
    text = re.sub(r"&struct (\w+)", r":c:type:`\1`", text)
    text = re.sub(r"&(\w+)\.(\w+)", r":c:type:`\1.\2 <\1>`", text)
    text = re.sub(r"&(DRM_\w+)", r":c:macro:`\1`", text)
    text = re.sub(r"[@%](\w+)", r"``\1``", text)
    return re.sub(r"(DRM_FERRY_\w+_)\*", r"``\1*``", text)


class Ioctls(SourceDirective):
    def run(self):
        self.depends(UAPI)
        structs = uapi_structs()
        numbers = set(re.findall(r"#define (DRM_FERRY_\w+)\t+0x[0-9a-f]{2}$", read(UAPI), re.M))
        out = []
        macros = []
        for macro, number, direction, struct, summary in uapi_ioctls():
            numbers.discard(number)
            if not summary:
                self.warn(f"{UAPI}: {macro} has no comment")
            if macro != number.replace("DRM_FERRY_", "DRM_IOCTL_FERRY_"):
                self.warn(f"{UAPI}: {macro} uses {number}")
            errors = uapi_errors(structs.get(struct, ""))
            if not errors:
                self.warn(f"{UAPI}: the comment of struct {struct} has no 'Errors:'")
            macros.append(f".. c:macro:: {macro}\n\n   {summary}. Argument: :c:type:`{struct}`, "
                          f"``{direction}``.\n")
            out.append(f"   * - :c:macro:`{macro}`\n     - {summary}\n     - "
                       + "\n       ".join(f"| ``{e}``: {kernel_doc_markup(c)}" for e, c in errors))
        for number in numbers:
            self.warn(f"{UAPI}: {number} has no DRM_IOCTL_*")
        table = (".. list-table::\n   :header-rows: 1\n   :widths: 32 18 50\n\n"
                 "   * - ioctl\n     - what it does\n     - errors, in addition to those of all ioctls\n")
        return self.parse(table + "\n".join(out) + "\n\n" + "\n".join(macros), UAPI)


class Macros(SourceDirective):
    required_arguments = 1

    def run(self):
        path = self.arguments[0]
        self.depends(path)
        text = read(path)
        ioctls = {n for _, n, _, _, _ in uapi_ioctls()} if path == UAPI else set()
        out = []
        for m in re.finditer(r"^#define (\w+)[ \t]+([^\\\n]+)$", text, re.M):
            name, val = m.group(1), m.group(2).strip()
            if name in ioctls or "IOCTL" in name:
                continue
            above = re.search(r"/\*(?!\*)((?:(?!\*/).)*)\*/\n$", text[:m.start()], re.S)
            if not above:
                self.warn(f"{path}: {name} has no comment")
                continue
            comment = " ".join(re.sub(r"^\s*\*", "", above.group(1), flags=re.M).split())
            out.append(f".. c:macro:: {name}\n\n   ``{val}``: {kernel_doc_markup(comment)}\n")
        if not out:
            self.warn(f"{path}: no constants")
        return self.parse("\n".join(out), path)


def tests_in_sources():
    """
    suite -> (path, names of its tests). A suite is an IGT program, a test program of
    the library or a KUnit file. Names of IGT tests may contain printf conversions.
    """
    out = {}
    for path in files("igt-tests/tests/*.c"):
        text = read(path)
        names = re.findall(r"\bigt_(?:subtest|dynamic)\w*\(\s*\"([^\"]+)\"", text)
        names += re.findall(r"^ \* SUBTEST: (\S+)", text, re.M)
        # Entries of tables of subtests, and of macros for such entries.
        names += re.findall(r"^\s*(?:{ |[A-Z]+\(\w+, )\"([a-z0-9-]+)\"", text, re.M)
        out[os.path.basename(path)[:-2]] = (path, names)
    for path in files("libdrm-ext/tests/host-*.c", "libdrm-ext/tests/device-*.c"):
        out[os.path.basename(path)[:-2]] = (path, re.findall(r"^\s*RUN\((\w+)\)", read(path), re.M))
    for path in files("libdrm-ext/tests/*.cpp", "libdrm-ext/tests/*.sh"):
        out[os.path.basename(path).rsplit(".", 1)[0]] = (path, [])
    for path in files("vm/guest/boot-screen", "vm/guest/boot-screen-ports", "vm/guest/devices", "vm/guest/ferryctl",
                      "vm/guest/ferryctl-bind", "vm/guest/ferryctl-no-module", "vm/guest/ferryctl-nopat", "vm/guest/no-device", "vm/guest/suspend",
                      "vm/guest/kunit", "igt-tests/fuzz/inside"):
        out["fuzz" if "fuzz" in path else os.path.basename(path)] = (path, [])
    out["selftest"] = ("vm/selftest", re.findall(r"^case_([a-z-]+)\(\)", read("vm/selftest"), re.M))
    for path in files("drm_driver/tests/*_test.c"):
        names = re.findall(r"KUNIT_CASE\w*\((\w+)", read(path))
        out[os.path.basename(path)[:-2]] = (path, names)
    return out


@functools.lru_cache(None)
def subtests(suite, source):
    """The list that the built program prints, or None if it is missing, out of date or fails."""
    program = os.path.join(TOP, "build", "igt", suite)
    try:
        if os.path.getmtime(program) < os.path.getmtime(os.path.join(TOP, source)):
            return None
        done = subprocess.run([program, "--list-subtests"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.split() if done.returncode == 0 else None


def test_exists(suites, test):
    """test: "suite" or "suite@name"; a * in the name stands for any text."""
    suite, _, name = test.partition("@")
    if suite not in suites:
        return False
    if not name:
        return True
    listed = subtests(suite, suites[suite][0])
    if listed:
        return any(fnmatch.fnmatchcase(known, name) for known in listed)
    for known in suites[suite][1]:
        if fnmatch.fnmatchcase(known, name):
            return True
        parts = re.split(r"%[-0-9.]*l*[a-z]", known)
        # "%s-%s" alone would match every name: skip it.
        if not any(part.strip("-") for part in parts):
            continue
        if re.fullmatch(r"[\w*-]+".join(re.escape(p) for p in parts), name):
            return True
    return False


class Params(SourceDirective):
    def run(self):
        out = [".. list-table::\n   :widths: 25 75\n\n"]
        for path in files("drm_driver/*.c"):
            self.depends(path)
            text = read(path)
            described = dict(re.findall(r'MODULE_PARM_DESC\((\w+),\s*((?:"[^"]*"\s*)+)\)', text))
            for name in re.findall(r"\bmodule_param(?:_named)?\((\w+)", text):
                if name not in described:
                    self.warn(f"{path}: the parameter {name} has no MODULE_PARM_DESC")
                what = "".join(re.findall(r'"([^"]*)"', described.get(name, "")))
                out.append(f"   * - ``{name}=``\n     - {what}")
        return self.parse("\n".join(out) + "\n", "drm_driver")


class Suites(SourceDirective):
    def run(self):
        out = [".. list-table::\n   :widths: 25 75\n\n"]
        for suite, (path, _) in tests_in_sources().items():
            self.depends(path)
            text = read(path)
            m = (re.search(r"^ \* Description: (.+)", text, re.M)
                 or re.search(r"\A//[^\n]*\n/\*\s*(.*?)\*/", text, re.S)
                 or re.search(r"\A#![^\n]*\n# SPDX[^\n]*\n(?:#\n)*((?:# [^\n]*\n)+)", text))
            if not m:
                self.warn(f"{path} has no description of what it tests")
                continue
            what = " ".join(re.sub(r"^ ?[*#] ?", "", m.group(1), flags=re.M).split())
            out.append(f"   * - ``{suite}``\n     - {what}")
        return self.parse("\n".join(out) + "\n", "igt-tests")


class Hazards(SourceDirective):
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        self.depends("Documentation/" + name)
        suites = tests_in_sources()
        for path, _ in suites.values():
            self.depends(path)
        columns = ["what broke other drivers, and what ferry does", "tests"]
        broken = "\n  broken: " in read("Documentation/" + name)
        if broken:
            columns.append("changes to ferry that made them fail")
        out = [".. list-table::\n   :header-rows: 1\n   :widths: %s\n\n   * - #\n     - %s\n" % (
            "5 37 30 28" if broken else "5 53 42", "\n     - ".join(columns))]
        for block in re.split(r"\n\s*\n", read("Documentation/" + name)):
            lines = [l for l in block.strip().splitlines() if not l.startswith("#")]
            if not lines:
                continue
            m = re.match(r"(\d+): (.*)", lines[0])
            if not m:
                self.warn(f"{name}: '{lines[0]}' does not begin with a number")
                continue
            text, tests, failed = [m.group(2)], [], []
            for line in lines[1:]:
                if line.startswith("  test: "):
                    tests.append(line[8:].strip())
                elif line.startswith("  broken: "):
                    failed.append(line[10:].strip())
                elif failed:
                    failed[-1] += " " + line.strip()
                else:
                    text.append(line.strip())
            if broken and not (tests and failed):
                self.warn(f"{name}: row {m.group(1)} needs a line 'test:' and a line 'broken:'")
            for test in tests:
                if not test_exists(suites, test):
                    self.warn(f"{name}: row {m.group(1)}: there is no test {test}")
            names = "\n       ".join(f"| ``{t}``" for t in tests) or "none yet"
            out.append(f"   * - {m.group(1)}\n     - {' '.join(text)}\n     - {names}")
            if broken:
                out.append("     - " + ("\n       ".join(f"| {f}" for f in failed) or "never"))
        return self.parse("\n".join(out) + "\n", name)


def result(path):
    """(command, lines of the header, body) of a file of results/, or None if the format is wrong."""
    m = re.fullmatch(r"# SPDX[^\n]*\n([^\n]+)\n((?:[^\n]+\n)+?)\n(.*\S.*)", read(path), re.S)
    if not m or not re.search(r"^measured on \d{4}-\d\d-\d\d", m[2], re.M) or not re.search(r"^kernel ", m[2], re.M):
        return None
    return m[1], m[2].splitlines(), m[3]


class Result(SourceDirective):
    required_arguments = 1
    option_spec = {"wide": directives.flag, "part": directives.unchanged_required}

    def part(self, path, body):
        command = self.options["part"]
        for shown in re.split(r"^\$ ", body, flags=re.M):
            if shown.partition("\n")[0] == command:
                return "$ " + shown.rstrip()
        self.warn(f"{path} does not show the command '{command}'")
        return command

    def run(self):
        path = "Documentation/results/" + self.arguments[0]
        self.depends(path)
        found = result(path)
        if not found:
            self.warn(f"{path} does not have the format that results/index describes")
            return []
        command, header, body = found
        text = f"``{command}``\n\n.. container:: source\n\n   {'; '.join(header)}\n\n"
        if "part" in self.options:
            text, body = "", self.part(path, body)
        if "wide" in self.options:
            text += ".. rst-class:: wide\n\n"
        text += ".. code-block:: none\n\n" + "\n".join(f"   {line}" for line in body.splitlines())
        return self.parse(text + "\n", path)


class BenchRows(SourceDirective):
    """The tables of rows and subjects that "bench/run --list rst" prints."""

    def run(self):
        self.depends("bench/rows.py")
        done = subprocess.run([os.path.join(TOP, "bench", "run"), "--list", "rst"], capture_output=True, text=True)
        if done.returncode:
            self.warn("bench/run --list rst: " + done.stderr.strip().rpartition("\n")[2])
            return []
        return self.parse(done.stdout, "bench/rows.py")


class Names:
    """The names, paths and make targets that a page may mention."""

    def __init__(self):
        words = set()
        for path in files("drm_driver/**/*", "uapi/*", "libdrm-ext/**/*", "igt-tests/**/*",
                          "bench/**/*", "vm/**/*", "scripts/**/*",
                          "tools/**/*", "Kconfig", "Makefile", "dkms.conf"):
            try:
                words |= set(re.findall(r"\b[A-Za-z_]\w*\b", read(path)))
            except UnicodeDecodeError:
                continue
            words.add(os.path.basename(path).rsplit(".", 1)[0])
        self.words = words
        self.targets = set()
        if os.path.exists(os.path.join(TOP, "Makefile")):
            for names in re.findall(r"^([\w ./-]+?)\s*:(?!=)", read("Makefile"), re.M):
                self.targets |= set(names.split())
            for names in re.findall(r"^\.PHONY\s*:\s*((?:.*\\\n)*.*)$", read("Makefile"), re.M):
                self.targets |= set(names.replace("\\", " ").split())

    def complaints(self, text):
        for name in sorted(set(re.findall(r"\b(?:ferry_[a-z]\w*|DRM_(?:IOCTL_)?FERRY_\w*[A-Z]\w*)\b", text))):
            if name.endswith("_"):
                known = any(w.startswith(name) for w in self.words)
            else:
                known = name in self.words
            if not known:
                yield f"the sources have no name '{name}'"
        dirs = r"(?:drm_driver|uapi|libdrm-ext|igt-tests|vm|bench|scripts|tools|Documentation|\.ci|LICENSES)"
        for path in sorted(set(re.findall(rf"(?<![\w/.-])({dirs}/[\w./*-]*[\w*/-])", text))):
            if not glob.glob(os.path.join(TOP, path)):
                yield f"there is no {path}"
        for target in sorted(set(re.findall(r"``?make ([a-z][\w-]*)", text))):
            if self.targets and target not in self.targets:
                yield f"'make {target}' is not a target of the Makefile"


def check_readme(names):
    path = os.path.join(TOP, "README.md")
    if not os.path.exists(path):
        return
    text = read("README.md")
    for complaint in names.complaints(text):
        logger.warning("README.md: " + complaint)
    # The comment before an example names its file: <!-- from: PATH -->
    for source, code in re.findall(r"<!-- from: (\S+) -->\n```c\n(.*?)```", text, re.S):
        want = re.sub(r"\A(?://[^\n]*\n|/\*.*?\*/\n)+", "", read(source), flags=re.S)
        if code.strip() != want.strip():
            logger.warning(f"README.md: the example differs from {source}")
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        if not os.path.exists(os.path.join(TOP, image)):
            logger.warning(f"README.md: the picture {image} does not exist")


def check_library():
    """Each exported symbol has a kernel-doc comment in the public header; the list has versions too."""
    for symbols in files("libdrm-ext/*symbols.txt"):
        header = "".join(read(f) for f in files("libdrm-ext/include/*/*.h"))
        for name in read(symbols).split()[::2]:
            if not re.search(rf"^ \* {name}\(\) - ", header, re.M):
                logger.warning(f"{symbols}: {name} is exported and has no kernel-doc comment")


def check_doc_sections():
    """Each DOC section of the driver is on a page."""
    pages = "".join(read(f) for f in files("Documentation/**/*.rst"))
    for path in files("drm_driver/*.[ch]"):
        for name in re.findall(r"^ \* DOC: (.+)$", read(path), re.M):
            if f"doc-sections:: {name}\n" not in pages:
                logger.warning(f"{path}: no page shows the DOC section '{name}'")


def check_results():
    """Each result is on a page."""
    pages = "".join(read(f) for f in files("Documentation/*.rst", "Documentation/results/*.rst"))
    for path in files("Documentation/results/*.txt"):
        if f":: {os.path.basename(path)}\n" not in pages:
            logger.warning(f"no page shows {path}")


def builder_inited(app):
    for complaint in kerneldoc.check(kerneldoc.sources()):
        logger.warning("kernel-doc: " + complaint)
    check_library()
    check_results()
    check_doc_sections()
    app.ferry_names = Names()
    check_readme(app.ferry_names)


def all_outdated(app, env, added, changed, removed):
    """Build every page anew: the sources that it is checked against may have changed."""
    return env.found_docs


def source_read(app, docname, source):
    for complaint in app.ferry_names.complaints(source[0]):
        logger.warning(complaint, location=docname)
    named = re.findall(r"\bferry_\w+@[\w*-]+", source[0])
    named += [f"{suite}@{name}" for suite, name in
              re.findall(r"build/igt/(\w+) --run-subtest ([\w*-]+)", source[0])]
    for test in named:
        if not test_exists(tests_in_sources(), test):
            logger.warning(f"there is no test {test}", location=docname)


def setup(app):
    app.add_directive("kernel-doc", KernelDoc)
    app.add_directive("doc-sections", DocSections)
    app.add_directive("driver-symbols", DriverSymbols)
    app.add_directive("ferry-ioctls", Ioctls)
    app.add_directive("ferry-macros", Macros)
    app.add_directive("ferry-params", Params)
    app.add_directive("ferry-suites", Suites)
    app.add_directive("ferry-hazards", Hazards)
    app.add_directive("ferry-result", Result)
    app.add_directive("ferry-bench-rows", BenchRows)
    app.connect("builder-inited", builder_inited)
    app.connect("env-get-outdated", all_outdated)
    app.connect("source-read", source_read)
    return {"parallel_read_safe": False}
