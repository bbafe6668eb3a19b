# SPDX-License-Identifier: MIT
"""Turns the samples that inside.sh prints into the rows of results.json."""
import statistics

from rows import ROWS, SUBJECTS


def parse(path):
    """Return (meta, samples) of what inside.sh printed."""
    meta, samples = {}, []
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if not words:
                continue
            pairs = dict(w.split("=", 1) for w in words if "=" in w)
            if words[0] == "meta":
                meta.update({k: v.replace("_", " ") if k == "cpu" else v
                             for k, v in pairs.items()})
            elif "id" in pairs and pairs["round"] != "0":   # round 0 warms up
                samples.append(pairs)
    return meta, samples


def value(sample, unit):
    """One sample in the unit of its row."""
    ns = float(sample["ns"])
    if unit == "ms":
        return ns / 1e6
    if unit.endswith("/page"):
        return ns / (int(sample["size"]) / 4096)
    if unit == "MiB/s":
        return int(sample["size"]) / (1 << 20) / (ns / 1e9)
    return ns


def spread(values):
    return statistics.median(values), min(values), max(values)


def measured(group):
    """The samples that have a time."""
    return [s for s in group if "ns" in s]


def group_samples(samples):
    """Samples by (row, subject, size)."""
    groups = {}
    for s in samples:
        rows = [s["id"]]
        if s["id"] == "migrate":            # a program that failed before it measured
            rows = ["migrate-to-aperture", "migrate-to-system"]
        for row in rows:
            groups.setdefault((row, s["subject"], int(s["size"])), []).append(s)
    return groups


def add_bare(groups):
    """Add the subject bare: the ioctl that finds nothing to move, and the copy with the
    allocation or the freeing of pages, added round by round."""
    for (row, subject, size), calls in list(groups.items()):
        if subject != "call":
            continue
        fresh = {s["round"]: s for s in measured(groups.get((row, "fresh", size), []))}
        bare = [{**fresh[s["round"]], "ns": str(float(s["ns"]) + float(fresh[s["round"]]["ns"]))}
                for s in measured(calls) if s["round"] in fresh]
        if bare:
            groups[(row, "bare", size)] = bare


def result(key, group, meta, unit):
    """The row of results.json for the samples of one (row, subject, size)."""
    row, subject, size = key
    good = measured(group)
    out = {"id": row, "subject": subject, "kernel": meta.get("kernel"),
           "accel": meta.get("accel") + ("-icount" if meta["icount"] else ""),
           "unit": unit, "size": size, "median": None, "min": None, "max": None,
           "runs": len(good), "faults": None}
    failed = [s.get("skipped", "no sample").replace("_", " ") for s in group if "ns" not in s]
    if not good:
        out["skipped"] = failed[0]
        return out
    if failed:
        out["note"] = f"{len(failed)} of {len(group)} runs gave nothing: {failed[0]}"
    out["median"], out["min"], out["max"] = spread([value(s, unit) for s in good])
    faults = [int(s["faults"]) for s in good if int(s.get("faults", -1)) >= 0]
    if faults:
        out["faults"] = statistics.median_low(faults)
    if "memtype" in good[0]:
        out["memtype"] = "+".join(sorted({s["memtype"] for s in good}))
    if "buffers" in good[0]:
        out["buffers"] = good[0]["buffers"]
    return out


def times(group):
    """Nanoseconds, or instructions, by round."""
    return {s["round"]: float(s["ns"]) for s in measured(group)}


def add_ratios(results, groups, row, size):
    """Add to each result how many times as long it takes as the limit and as the peers:
    formed round by round."""
    for out in results:
        mine = times(groups[(row, out["subject"], size)])
        for other in (ROWS[row].limit, *ROWS[row].peers):
            # a limit can be another row: what ferry takes for that
            key = (other, "ferry", size) if other in ROWS else (row, other, size)
            theirs = times(groups.get(key, []))
            both = [mine[r] / theirs[r] for r in mine if r in theirs]
            if both and other != out["subject"]:
                out.setdefault("times_as_long_as", {})[other] = spread(both)


def add_growth(results):
    """Add to each result of a row per page its ratio to the least of the smaller sizes."""
    least = {}
    for out in results:
        if out["median"] is None:
            continue
        before = least.get(out["subject"])
        if before:
            out["times_the_least_of_smaller"] = out["median"] / before
        least[out["subject"]] = min(out["median"], before or out["median"])


def unit_of(row, icount):
    unit = ROWS[row].unit
    if not icount or unit == "B":
        return unit
    return "instructions/page" if unit == "ns/page" else "instructions"


def evaluate(meta, samples):
    """Return the rows of results.json."""
    groups = group_samples(samples)
    add_bare(groups)
    rows = []
    for row in ROWS:
        unit = unit_of(row, meta["icount"])
        of_row = []
        for size in sorted({size for r, _, size in groups if r == row}):
            of_size = [result((row, s, size), groups[(row, s, size)], meta, unit)
                       for s in SUBJECTS if (row, s, size) in groups]
            add_ratios(of_size, groups, row, size)
            of_row += of_size
        if unit.endswith("/page"):
            add_growth(of_row)
        rows += of_row
    return rows


def key_of(row):
    return row["id"], row["subject"], row["size"], row["unit"]


def compare(old, new, percent):
    """Return lines about the results of ferry that differ by more than @percent."""
    before = {key_of(r): r["median"] for r in old if r["median"]}
    lines = []
    common = 0
    for r in new:
        if not r["subject"].startswith("ferry") or not r["median"] or key_of(r) not in before:
            continue
        common += 1
        change = (r["median"] / before[key_of(r)] - 1) * 100
        if r["unit"] == "MiB/s":
            change = (before[key_of(r)] / r["median"] - 1) * 100
        if abs(change) > percent:
            lines.append(f"{r['id']:22} {r['subject']:15} {r['size']:>10}  {change:+.2f} %  "
                         f"({before[key_of(r)]:.6g} -> {r['median']:.6g} {r['unit']})")
    lines.append(f"{len(lines)} of {common} results of ferry changed by more than {percent} %; "
                 "+ is slower")
    return lines
