# SPDX-License-Identifier: MIT
"""The table and the plots that are made of the rows of results.json."""
import os
import shutil
import subprocess

from rows import ROWS, SUBJECTS

SHORT = {"instructions": "instr.", "instructions/page": "i/page", "write-combining": "WC",
         "uncached-minus": "UC-", "uncached": "UC", "write-back": "WB"}
COLOURS = {"ferry": "#b5472f", "ferry-4k": "#d99a2b", "bochs": "#3b6ea5",
           "resource0_wc": "#444444", "bare": "#444444", "memcpy": "#999999"}
TERMINAL = "set terminal pngcairo size 900,560 font 'DejaVu Sans,11'"


# ---- table ----

def size_name(size):
    for shift, unit in ((20, "MiB"), (10, "KiB")):
        if size >= 1 << shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"


def size_of(row):
    return f"{row['size']} BOs" if row["id"] == "evict-scale" else size_name(row["size"])


def number(x):
    if x is None:
        return "-"
    if x >= 1000:
        return f"{x:.0f}"
    return f"{x:.3g}" if x < 100 else f"{x:.1f}"


def ratio(out, other):
    r = out.get("times_as_long_as", {}).get(other)
    return f"{number(r[0])} ({number(r[1])}-{number(r[2])})" if r else "-"


def head(meta):
    """What was measured, when and on what."""
    lines = []
    if "command" in meta:
        lines.append(meta["command"])
    if meta.get("date"):
        lines.append(f"measured on {meta['date']}")
    if meta.get("source"):
        lines.append(f"sources {meta['source']}")
    lines.append(f"kernel {meta.get('kernel')}, {meta.get('machine')}, {meta.get('cpus')} CPUs: "
                 f"{meta.get('cpu')}")
    lines.append(f"accelerator {meta.get('accel')}"
                 + (" with instruction counting" if meta["icount"] else "")
                 + (f", {meta['qemu']}" if "qemu" in meta else ""))
    if meta.get("append"):
        lines.append(f"kernel command line: {meta['append']}")
    lines.append(f"device {meta.get('pci')}, BAR {meta.get('bar')}, "
                 f"{size_name(int(meta.get('aperture', 0)))}")
    if meta.get("accel") != "none":
        lines.append("The BAR of an emulated device is ordinary memory of the host: nothing here is a "
                     "speed of PCIe.")
    return lines


def table_line(r, others):
    start = f"  {size_of(r):>8} {r['subject']:15} "
    if "skipped" in r:
        return [start + "skipped: " + r["skipped"]]
    faults = "-" if r["faults"] is None else r["faults"]
    lines = [(start + f"{number(r['median']):>9} {number(r['min']):>9} {number(r['max']):>9} "
              f"{SHORT.get(r['unit'], r['unit']):6} {r['runs']:>4} {faults:>6}  "
              f"{SHORT.get(r.get('memtype'), r.get('memtype', '')):4} "
              + " ".join(f"{ratio(r, other) if other else '':22}" for other in others)).rstrip()]
    if r.get("buffers") == "shmem":
        lines.append(" " * 24 + "(its buffers are in system memory on this kernel)")
    if "note" in r:
        lines.append(" " * 24 + f"({r['note']})")
    return lines


def growth_lines(results):
    lines = []
    for subject in SUBJECTS:
        rises = [r for r in results
                 if r["subject"] == subject and "times_the_least_of_smaller" in r]
        if rises:
            worst = max(rises, key=lambda r: r["times_the_least_of_smaller"])
            lines.append(f"  {subject}: at most {number(worst['times_the_least_of_smaller'])} times "
                         f"the cost of a smaller size, at {size_name(worst['size'])}")
    return lines


def table(meta, results):
    lines = head(meta)
    what = "count / " if meta["icount"] else "time / "
    for name, row in ROWS.items():
        mine = [r for r in results if r["id"] == name]
        if not mine:
            continue
        others = (row.limit, *row.peers)
        lines += ["", f"{name}: {row.work}",
                  (f"  {'size':>8} {'subject':15} {'median':>9} {'min':>9} {'max':>9} {'unit':6} "
                   f"{'runs':>4} {'faults':>6}  PAT  "
                   + " ".join(f"{what + other if other else '':22}" for other in others)).rstrip()]
        for r in mine:
            lines += table_line(r, others)
        lines += growth_lines(mine)
    return "\n".join(lines) + "\n"


# ---- plots ----

def data(name, points):
    return [f"{name} << EOD",
            *(f"{r['size']} {r['median']} {r['min']} {r['max']}" for r in points), "EOD"]


def plot_touch(results, title):
    """Bars of touch-aperture with their spread."""
    rows = [r for r in results if r["id"] == "touch-aperture" and r["median"] is not None]
    if not rows:
        return []
    low = min(r["min"] for r in rows) / 3
    return [
        TERMINAL, "set output 'touch.png'",
        f"set title 'First touch of 32 MiB, mmap included: median, least, most ({title})' noenhanced",
        f"set ylabel '{rows[0]['unit']}'", "set grid y", "set logscale y", "set style fill solid 0.6",
        "set boxwidth 0.6", "unset key", "set xtics noenhanced",
        "$touch << EOD",
        *(f"{i} {r['subject']} {r['median']} {r['min']} {r['max']}" for i, r in enumerate(rows)),
        "EOD", f"set yrange [{low}:*]", f"set xrange [-0.6:{len(rows) - 0.4}]",
        "plot $touch using 1:3:xtic(2) with boxes lc rgb '#3b6ea5', "
        "'' using 1:3:4:5 with yerrorbars lc black pt 0 lw 1.5, "
        "'' using 1:5:(sprintf('%.2f', $3)) with labels offset 0,1", "reset"]


def plot_cost(results, title):
    """Curves of cost-per-page against the size."""
    rows = [r for r in results if r["id"] == "cost-per-page" and r["median"] is not None]
    if not rows:
        return []
    sizes = ", ".join(f"'{size_name(size)}' {size}" for size in sorted({r["size"] for r in rows}))
    script = [
        TERMINAL, "set output 'cost.png'",
        f"set title 'First touch, mmap included: median, least, most ({title})' noenhanced",
        "set logscale x 2", "set logscale y", "set grid", "set key top right", "set rmargin 6",
        f"set ylabel '{rows[0]['unit']}'", "set xlabel 'size of the BO'",
        f"set xtics ({sizes}) rotate by -30"]
    curves = []
    for subject in SUBJECTS:
        points = [r for r in rows if r["subject"] == subject]
        if points:
            script += data(f"$c{len(curves)}", points)
            curves.append(f"$c{len(curves)} using 1:2:3:4 with yerrorlines title '{subject}' noenhanced "
                          f"lw 1.5 lc rgb '{COLOURS[subject]}'")
    return script + ["plot " + ", \\\n  ".join(curves), "reset"]


def plot_moves(results, title):
    """Curves of migrate-* against the size."""
    rows = [r for r in results if r["id"].startswith("migrate") and r["median"] is not None]
    if not rows:
        return []
    script = [
        TERMINAL, "set output 'migrate.png'",
        f"set title 'Migration: median, least, most ({title})' noenhanced",
        "set logscale x 2", "set logscale y", "set grid", "set key outside right",
        f"set ylabel '{rows[0]['unit']}'", "set xlabel 'size of the BO'",
        "set xtics ('4 KiB' 4096, '64 KiB' 65536, '1 MiB' 1048576, '32 MiB' 33554432)",
        "set xrange [2048:67108864]"]
    curves = []
    for name, dash in (("migrate-to-aperture", 1), ("migrate-to-system", 2)):
        for subject in ("ferry", "bare", "bochs", "memcpy"):
            points = [r for r in rows if r["id"] == name and r["subject"] == subject]
            if points:
                script += data(f"$d{len(curves)}", points)
                curves.append(f"$d{len(curves)} using 1:2:3:4 with yerrorlines title '{subject} "
                              f"{name[8:]}' noenhanced lw 1.5 dt {dash} lc rgb '{COLOURS[subject]}'")
    return script + ["plot " + ", \\\n  ".join(curves), "reset"]


def plot(out_dir, meta, results):
    """Write touch.png, cost.png and migrate.png. Return an error message or None."""
    if not shutil.which("gnuplot"):
        return "no plots: gnuplot is not installed (package gnuplot-nox)"
    title = f"{meta.get('kernel')}, {meta.get('accel')}"
    script = plot_touch(results, title) + plot_cost(results, title) + plot_moves(results, title)
    with open(os.path.join(out_dir, "plots.gp"), "w") as f:
        f.write("\n".join(script) + "\n")
    done = subprocess.run(["gnuplot", "plots.gp"], cwd=out_dir)
    return f"gnuplot failed with status {done.returncode}" if done.returncode else None
