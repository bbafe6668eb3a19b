#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Writes the manual pages of the library from the kernel-doc comments of its header: one of section 3
for each function and structure, and libdrm_ferry(7) for the others.

usage: man.py HEADER VERSION OUT_DIR SECTION
       man.py --list HEADER                     prints the file names of all pages
"""
import os
import re
import sys

OVERVIEW = "libdrm_ferry"


def blocks(header):
    """Return (title, lines of the comment, code that follows it) of each kernel-doc comment."""
    with open(header) as f:
        text = f.read()
    found = []
    for m in re.finditer(r"/\*\*\n(.*?)\*/\n", text, re.S):
        lines = [re.sub(r"^ \* ?", "", line) for line in m[1].rstrip().splitlines()]
        # Those of members are a part of their structure.
        if not text[:m.start()].endswith("\t"):
            end = re.search(r"^\};" if lines[0].startswith("struct") else r";$", text[m.end():], re.M)
            found.append((lines[0], lines[1:], text[m.end():m.end() + end.end()]))
    return found


def name_of(title):
    if title.startswith("DOC:"):
        return OVERVIEW
    return re.match(r"(?:struct )?(\w+)", title)[1]


def page_of(name):
    return name + (".7" if name == OVERVIEW else ".3")


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


def markup(text):
    """Translate the marks of kernel-doc."""
    text = escape(text)
    text = re.sub(r"\*?@\*?(\w+)(?:\\-\\>(\w+))?", lambda m: r"\fI%s\fP" % m[0].replace("@", ""), text)
    text = re.sub(r"%(\w+\*?)", r"\\fB\1\\fP", text)
    text = re.sub(r"&(?:struct |enum )?(\w+)(\.\w+)?", lambda m: r"\fI%s\fP" % (m[1] + (m[2] or "")), text)
    # A page of this library, or the ones of others that are named with their section already.
    return re.sub(r"\b(ferry_\w+)\(\)", r"\\fB\1\\fP(3)", text)


def paragraphs(lines):
    """Return the requests for running text; a line that begins with "NAME: " is an item."""
    out = []
    for line in lines:
        item = re.match(r"(-E\w+(?: or -E\w+)*|another negative errno[^:]*):? ?(.*)", line)
        if not line:
            out.append(".PP")
        elif item and line.startswith(("-E", "another")):
            # Only errors of the list, not sentences that begin with one.
            if line.startswith("-E") and not re.match(r"-E\w+(?: or -E\w+)*:", line):
                out.append(markup(line))
            else:
                out += [".TP", markup(r"%s" % item[1]).replace("\\-E", "\\fB\\-E", 1) +
                        ("\\fP" if line.startswith("-E") else ""), markup(item[2] or "")]
        else:
            out.append(markup(line))
    while out and out[-1] in (".PP", ""):
        out.pop()
    return [line for line in out if line]


def split(lines):
    """Split a comment into its arguments, its text and what it returns."""
    arguments, text, returns = [], [], None
    for line in lines:
        argument = re.match(r"@(\w+): (.*)", line)
        if line.startswith("Returns: "):
            returns = [line[len("Returns: "):]]
        elif returns is not None:
            returns.append(line)
        elif argument and not text:
            arguments.append([argument[1], [argument[2]]])
        elif arguments and line.startswith("\t"):
            arguments[-1][1].append(line.strip())
        elif line or text:
            text.append(line)
    return arguments, text, returns


def synopsis(code):
    code = re.sub(r"/\*.*?\*/\s*", "", code, flags=re.S) if code.startswith("struct") else code
    return [".nf", ".B #include <libdrm_ferry/ferry.h>", ".PP"] + \
        [escape(line.expandtabs(8)) or ".PP" for line in code.splitlines() if line.strip()] + \
        [".fi", ".PP", "Link with \\fI\\-ldrm_ferry\\fP, as \\fBpkg\\-config libdrm_ferry\\fP prints it."]


def members(code):
    """Return the documented members of a structure as arguments."""
    found = re.findall(r"/\*\* @(\w+): (.*?) \*/", code, re.S)
    return [[name, [re.sub(r"\s*\n\s*\* ?", " ", text)]] for name, text in found]


def page(title, lines, code, version, seen):
    name = name_of(title)
    arguments, text, returns = split(lines)
    brief = title.partition(" - ")[2] or "user library of the ferry DRM driver"
    number = page_of(name)[-1]
    out = ['.\\" SPDX-License-Identifier: MIT', '.\\" From the comments in libdrm_ferry/ferry.h.',
           '.TH "%s" %s "" "libdrm_ferry %s" "libdrm_ferry"' % (name, number, version),
           ".SH NAME", "%s \\- %s" % (name, escape(brief))]
    if name != OVERVIEW:
        out += [".SH SYNOPSIS", *synopsis(code)]
    if title.startswith("struct"):
        arguments = members(code)
    if arguments:
        out.append(".SH MEMBERS" if title.startswith("struct") else ".SH ARGUMENTS")
        for argument, description in arguments:
            out += [".TP", "\\fI%s\\fP" % argument, *map(markup, description)]
    if text:
        out += [".SH DESCRIPTION", *paragraphs(text)]
    if returns:
        out += [".SH RETURN VALUE", *paragraphs(returns)]
    also = set(re.findall(r"\b(ferry_\w+)\(\)", "\n".join(lines))) - {name}
    also = sorted(page_of(n) for n in also | {OVERVIEW} if n != name and n in seen)
    if also:
        out += [".SH SEE ALSO", ",\n".join("\\fB%s\\fP(%s)" % (escape(p[:-2]), p[-1]) for p in also)]
    return "\n".join(out) + "\n"


def main():
    found = blocks(sys.argv[2] if sys.argv[1] == "--list" else sys.argv[1])
    seen = [name_of(title) for title, _, _ in found]
    if sys.argv[1] == "--list":
        print("\n".join(map(page_of, seen)))
        return
    for title, lines, code in found:
        if page_of(name_of(title))[-1] != sys.argv[4]:
            continue
        with open(os.path.join(sys.argv[3], page_of(name_of(title))), "w") as f:
            f.write(page(title, lines, code, sys.argv[2], seen))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 5):
        sys.exit(__doc__.strip())
    main()
