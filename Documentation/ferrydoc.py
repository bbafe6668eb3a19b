# SPDX-License-Identifier: MIT
"""
Sphinx extension: pages that are made of, or checked against, the sources.

Directives:
  kernel-doc FILE        comments of a C file; options :doc: SECTION, :doc: alone
                         (each DOC section) or :symbols: (all but DOC sections)
  doc-sections NAME      the DOC section NAME of each file under drm_driver/
  driver-symbols         functions and structures of drm_driver/, file by file
  ferry-ioctls           table of the ioctls in uapi/ferry_drm.h with their errors
  ferry-macros           the other constants of a header
  ferry-params           the module's parameters
  ferry-suites           the test programs and what they say of themselves
  ferry-hazards FILE     hazards.txt or old-bugs.txt as a table, each test looked up
                         in the sources

Tests are looked up in the sources of the tests, and in the lists that the built test
programs print where there are such programs.

Checks, each of which is a warning and therefore an error: kernel-doc's own
complaints; an ioctl or a constant without a comment; an exported symbol of the
library without one; a test in hazards.txt or
old-bugs.txt that does not exist; in the text of any
page and of README.md, a name with ferry_ or DRM_FERRY_, a path or a make target
that does not exist; a unit of the driver that the architecture page leaves out; a C example in README.md that differs from its file.
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
    """A directive whose content is text made elsewhere."""

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
            # DOC sections come with a label and a title; the page has its own.
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
            out.append(f"``{path}``:\n\n.. kernel-doc:: {path}\n   :doc: {name}\n")
        if not out:
            self.warn(f"no DOC section '{name}' under drm_driver/")
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
        # The last comment before the struct is the struct's.
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
                self.warn(f"{UAPI}: no 'Errors:' in the comment of struct {struct}")
            macros.append(f".. c:macro:: {macro}\n\n   {summary}. Argument: :c:type:`{struct}`, "
                          f"``{direction}``.\n")
            out.append(f"   * - :c:macro:`{macro}`\n     - {summary}\n     - "
                       + "\n       ".join(f"| ``{e}``: {kernel_doc_markup(c)}" for e, c in errors))
        for number in numbers:
            self.warn(f"{UAPI}: {number} has no DRM_IOCTL_*")
        table = (".. list-table::\n   :header-rows: 1\n   :widths: 32 18 50\n\n"
                 "   * - ioctl\n     - what it does\n     - errors, beside those that all can return\n")
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
    suite -> (path, names of its tests). Suites are the IGT programs, the
    library's test programs and the KUnit files. IGT names may have printf
    conversions in them.
    """
    out = {}
    for path in files("igt-tests/tests/*.c"):
        text = read(path)
        names = re.findall(r"\bigt_(?:subtest|dynamic)\w*\(\s*\"([^\"]+)\"", text)
        names += re.findall(r"^ \* SUBTEST: (\S+)", text, re.M)
        # What igt_subtest(tests[i].name) runs over.
        names += re.findall(r"^\s*{ \"([a-z0-9-]+)\"", text, re.M)
        out[os.path.basename(path)[:-2]] = (path, names)
    for path in files("libdrm-ext/tests/host-*.c", "libdrm-ext/tests/device-*.c"):
        out[os.path.basename(path)[:-2]] = (path, re.findall(r"^\s*RUN\((\w+)\)", read(path), re.M))
    for path in files("libdrm-ext/tests/*.cpp", "libdrm-ext/tests/*.sh"):
        out[os.path.basename(path).rsplit(".", 1)[0]] = (path, [])
    for path in files("vm/guest/devices", "vm/guest/no-device", "vm/guest/suspend",
                      "vm/guest/kunit", "igt-tests/fuzz/inside"):
        out["fuzz" if "fuzz" in path else os.path.basename(path)] = (path, [])
    for path in files("drm_driver/tests/*_test.c"):
        names = re.findall(r"KUNIT_CASE\w*\((\w+)", read(path))
        out[os.path.basename(path)[:-2]] = (path, names)
    return out


@functools.lru_cache(None)
def subtests(suite, source):
    """What the built program lists, or None if it is not built, older, or does not run here."""
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
        parts = re.split(r"%[-0-9.]*l*[a-z]", known)
        # "%s-%s" alone says nothing; its parts are among the other names
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
                self.warn(f"{path} does not say what it tests")
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
        columns = ["what broke others, and what ferry does", "tests"]
        broken = "\n  broken: " in read("Documentation/" + name)
        if broken:
            columns.append("how they were seen to fail")
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
                self.warn(f"{name}: row {m.group(1)} has no test, or does not say how it was seen to fail")
            for test in tests:
                if not test_exists(suites, test):
                    self.warn(f"{name}: row {m.group(1)}: there is no test {test}")
            names = "\n       ".join(f"| ``{t}``" for t in tests) or "none yet"
            out.append(f"   * - {m.group(1)}\n     - {' '.join(text)}\n     - {names}")
            if broken:
                out.append("     - " + ("\n       ".join(f"| {f}" for f in failed) or "never"))
        return self.parse("\n".join(out) + "\n", name)


class Names:
    """Everything that a page may speak of."""

    def __init__(self):
        words = set()
        for path in files("drm_driver/**/*", "uapi/*", "libdrm-ext/**/*", "igt-tests/**/*",
                          "bench/**/*", "vm/**/*", "Kconfig", "Makefile", "dkms.conf"):
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
                yield f"'{name}' is not a name of the sources"
        dirs = r"(?:drm_driver|uapi|libdrm-ext|igt-tests|vm|bench|Documentation|\.ci|LICENSES)"
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
    # An example names its file in a comment before it: <!-- from: PATH -->
    for source, code in re.findall(r"<!-- from: (\S+) -->\n```c\n(.*?)```", text, re.S):
        want = re.sub(r"\A(?://[^\n]*\n|/\*.*?\*/\n)+", "", read(source), flags=re.S)
        if code.strip() != want.strip():
            logger.warning(f"README.md: the example is not what is in {source}")
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text):
        if not os.path.exists(os.path.join(TOP, image)):
            logger.warning(f"README.md: there is no picture {image}")


def check_library():
    """Each exported symbol has a kernel-doc comment in the public header."""
    for symbols in files("libdrm-ext/*symbols.txt"):
        header = "".join(read(f) for f in files("libdrm-ext/include/*/*.h"))
        for name in read(symbols).split():
            if not re.search(rf"^ \* {name}\(\) - ", header, re.M):
                logger.warning(f"{symbols}: {name} is exported and has no kernel-doc comment")


def builder_inited(app):
    for complaint in kerneldoc.check(kerneldoc.sources()):
        logger.warning("kernel-doc: " + complaint)
    check_library()
    app.ferry_names = Names()
    check_readme(app.ferry_names)


def all_outdated(app, env, added, changed, removed):
    """Every page is made anew: what it is checked against may have changed."""
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
    if docname == "architecture":
        for path in files("drm_driver/*.c"):
            if f"``{os.path.basename(path)}``" not in source[0]:
                logger.warning(f"{path} is not in the table of units", location=docname)


def setup(app):
    app.add_directive("kernel-doc", KernelDoc)
    app.add_directive("doc-sections", DocSections)
    app.add_directive("driver-symbols", DriverSymbols)
    app.add_directive("ferry-ioctls", Ioctls)
    app.add_directive("ferry-macros", Macros)
    app.add_directive("ferry-params", Params)
    app.add_directive("ferry-suites", Suites)
    app.add_directive("ferry-hazards", Hazards)
    app.connect("builder-inited", builder_inited)
    app.connect("env-get-outdated", all_outdated)
    app.connect("source-read", source_read)
    return {"parallel_read_safe": False}
