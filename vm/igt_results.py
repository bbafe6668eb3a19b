# SPDX-License-Identifier: MIT
"""Derive the results of subtests from what a test printed, and find its part of the kernel log."""

import re


def last_lines(text, n=3):
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-n:])


def kernel_log_of(console, name):
    """Return the lines that the kernel logged while the test ran."""
    lines, taking = [], False
    for line in console.splitlines():
        if "ferry-test: start " in line:
            taking = line.rstrip().endswith("start " + name)
        elif "ferry-test: end of all" in line:
            taking = False
        if taking:
            lines.append(line)
    return lines


VERDICT = {"SUCCESS": "PASS", "SKIP": "SKIP"}


def reason_of(output):
    """Return the reason for a skip or a failure from what IGT printed: the message, else the condition."""
    output = output.split("**** DEBUG ****")[0]
    lines = [re.sub(r"^\(\S+\) \S+: ", "", line).strip() for line in output.splitlines()]
    for n, line in enumerate(lines):
        m = re.match(r"(?:Test requirement|Failed assertion): (.*)", line)
        if m:
            words = [w for w in lines[n + 1:n + 4] if w and not w.startswith(("Last errno", "Subtest ", "error:"))]
            error = [w for w in lines[n + 1:n + 3] if w.startswith("error:")]
            return words[0] if words else " ".join([m[1], *error])
    return last_lines("\n".join(lines), 2)


def add_results(name, text, status, results, log):
    """Add one result for each subtest. Dynamic subtests replace their parent."""
    before, rows, parent, reason = 0, [], None, ""
    for m in re.finditer(r"^Starting subtest: (\S+)|^Starting dynamic subtest: (\S+)|"
                         r"^(Subtest|Dynamic subtest) (\S+): (\w+) \(|^(SUCCESS|SKIP|FAIL) \(", text, re.M):
        if m[1]:
            parent, dynamic = m[1], 0
            rows.append([parent, None, ""])
        elif m[2]:
            dynamic += 1
            rows.append([parent + "@" + m[2], None, ""])
        else:
            output = text[before:m.start()]
            before = text.find("\n", m.end())
            what, verdict = (m[4], m[5]) if m[3] else ("", m[6])
            result = VERDICT.get(verdict, "FAIL")
            full = "%s@%s" % (parent, what) if m[3] == "Dynamic subtest" else what
            row = next((r for r in rows if r[0] == full), None)
            children = [r[1] for r in rows if m[3] == "Subtest" and r[0].startswith(full + "@")]
            if row and children and (result != "FAIL" or "FAIL" in children):
                rows.remove(row)
                continue
            if not row:
                row = [full, None, ""]
                rows.append(row)
            row[1] = result
            if result != "PASS":
                # If all subtests skip, IGT prints the reason only once, before the first.
                reason = reason_of(output) if output.strip() or result == "FAIL" else reason
                row[2] = reason
    for what, result, reason in rows:
        full = name + "@" + what if what else name
        if result is None:
            result, reason = "FAIL", "did not end: exit status %s" % status
        results.add(full, result, reason, log)
    if not rows:
        results.add(name, "FAIL", "ran no subtest: exit status %s: %s" % (status, last_lines(text)), log)
    elif status not in (0, 77) and not any(r[1] != "PASS" and r[1] != "SKIP" for r in rows):
        results.add(name, "FAIL", "exit status %s although no subtest failed: %s" % (status, last_lines(text)), log)
