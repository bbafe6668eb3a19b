# SPDX-License-Identifier: MIT
"""A virtual machine with desktops: it moves the pointer, and compares the screen with what was drawn.

Requests of vm/guest/desktops, besides those of vm/run:

  begin DESKTOP BACKGROUND STEP...   the desktop that is tested next. BACKGROUND is "picture" (the file that
                                     was written to the shared directory), or "plain": any one colour
  check STEP SECONDS EXPECTED...     wait until the screen shows what is EXPECTED:
      NAME=COLOUR      a window, as a rectangle of one colour; later ones are on top
      NAME:moved       it has been moved by the last drag
      NAME:resized     it has been resized by the last drag
      NAME:text        it shows text on this colour
      NAME:full        it fills the screen
      cursor           the pointer is visible in the middle of an empty part of the screen
      console          no desktop: nearly all is black
  drag NAME=COLOUR move|resize KEY BUTTON
                                     press KEY and BUTTON over a window, move the pointer, release both
  failed STEP REASON...              the step cannot be done
"""

import json
import os
import sys
import time

import run
from picture import Picture
from virtual_machine import VirtualMachine

# The size of the largest cursor. Its picture may begin left of and above its position.
CURSOR = 64
# By how many pixels a window is moved and resized.
STEP = (200, 120)
# The part of it that a desktop may leave out.
FIRST = (8, 8)
# Terminals are resized by whole characters.
CHARACTER = (12, 24)


class Unexpected(Exception):
    """The screen does not show what it should."""


def sign(amount, before, after, size):
    """Return amount or -amount, so that a window between before and after stays on the screen."""
    return amount if after + amount < size - CURSOR or before < amount else -amount


class DesktopMachine(VirtualMachine):
    """A virtual machine with desktops."""

    def __init__(self, options):
        super().__init__(options)
        self.case = json.loads(os.environ["FERRY_DESKTOPS"])
        self.width, self.height = map(int, self.case["size"].split("x"))
        self.results = []
        self.windows = {}
        self.dragged = {}
        self.wiggle = 0
        self.output = open(os.path.join(options.share, "output.log"), "wb")
        self.pattern = Picture.pattern(self.width, self.height)
        self.pattern.write_png(os.path.join(options.share, "background.png"))

    def write(self, fd, data):
        self.output.write(data)
        self.output.flush()

    # ---- results ----

    def result(self, step, reason):
        self.results[-1]["steps"][step] = reason
        name = self.results[-1]["desktop"] + ("-" + step if reason else "")
        if reason or step == "picture":
            self.picture().write_png(os.path.join(self.o.share, name + ".png"))
        print("%-9s %-20s %-10s %s" % (self.results[-1]["desktop"], self.case["name"], step, reason or "ok"), flush=True)
        with open(os.path.join(self.o.share, "results.json"), "w") as f:
            json.dump(self.results, f, indent=1)

    # ---- the screen ----

    def picture(self):
        path = os.path.join(self.directory, "screen.ppm")
        self.qemu.qmp("screendump", filename=path, format="ppm", device=self.devices[0].id)
        return Picture.read_ppm(path)

    def background(self, picture):
        if self.results[-1]["background"] == "picture":
            return self.pattern
        # The pointer is in the opposite corner.
        return Picture.plain(self.width, self.height, picture.pixel(0, 0))

    def window(self, picture, name, colour, flags):
        """Return the rectangle of a window, and check its place."""
        was = self.windows.get(name)
        if not was and {"text", "moved", "resized"} & set(flags):
            raise Unexpected("window %s was not seen before" % name)
        if "text" in flags:
            if picture.share_of(colour, was) > 0.999:
                raise Unexpected("window %s shows no text" % name)
            return was
        found = picture.find(colour)
        if not found:
            raise Unexpected("there is no window %s, of the colour %s" % (name, colour.hex()))
        if "full" in flags and found != (0, 0, self.width, self.height):
            raise Unexpected("window %s does not fill the screen: %s" % (name, found))
        for flag in {"moved", "resized"} & set(flags):
            if not self.follows(name, flag, found):
                raise Unexpected("window %s was %s, and is %s instead of %s" % (name, was, found, self.due(name, flag)))
        return found

    def due(self, name, flag):
        """Return the rectangle that a window must have after the last drag."""
        x, y, width, height = self.windows[name]
        dx, dy = self.dragged[name]
        return (x + dx, y + dy, width, height) if flag == "moved" else (x, y, width + dx, height + dy)

    def follows(self, name, flag, found):
        near = (*FIRST, 0, 0) if flag == "moved" else (0, 0, *(a + b for a, b in zip(FIRST, CHARACTER)))
        return all(abs(a - b) <= limit for a, b, limit in zip(found, self.due(name, flag), near))

    def compare(self, expected, flags):
        """Check the screen, and return the rectangles of its windows. expected is {name: colour}."""
        picture = self.picture()
        if (picture.width, picture.height) != (self.width, self.height):
            raise Unexpected("the mode is %dx%d" % (picture.width, picture.height))
        if "console" in flags.get("", ()):
            if sum(row.count(0) for row in picture.rows) < 0.95 * 3 * self.width * self.height:
                raise Unexpected("the console is not shown")
            return {}
        found = {}
        ignored = [(self.width - CURSOR, self.height - CURSOR, CURSOR, CURSOR)]
        for name, colour in expected.items():
            found[name] = self.window(picture, name, colour, flags.get(name, ()))
            if "text" in flags.get(name, ()):
                ignored.append(found[name])
        due = self.background(picture).with_windows([(found[n], expected[n]) for n in found])
        wrong = due.differences(picture, ignored)
        if "cursor" in flags.get("", ()):
            x, y = self.empty_place()
            rest = [(a, b) for a, b in wrong if not (abs(a - x) < CURSOR and abs(b - y) < CURSOR)]
            if len(wrong) - len(rest) < 10:
                raise Unexpected("no cursor at %d, %d" % (x, y))
            wrong = rest
        if wrong:
            x, y = wrong[0]
            raise Unexpected("%d pixels are wrong, the first at %d, %d: %s instead of %s" % (
                len(wrong), x, y, picture.pixel(x, y).hex(), due.pixel(x, y).hex()))
        return found

    def processor_time(self):
        """Return the seconds of processor time that the virtual machine has used."""
        try:
            with open("/proc/%d/stat" % self.qemu.process.pid) as f:
                fields = f.read().rpartition(")")[2].split()
        except OSError:
            return 0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def check(self, step, seconds, *words):
        expected, flags = {}, {}
        for word in words:
            name, _, colour = word.partition("=")
            if colour:
                expected[name] = bytes.fromhex(colour)
            else:
                name, _, flag = word.rpartition(":")
                flags.setdefault(name, []).append(flag)
        begun, spent = time.monotonic(), self.processor_time()
        while True:
            self.point(*(self.empty_place() if "cursor" in flags.get("", ()) else self.corner()))
            time.sleep(0.3)
            reason = ""
            try:
                self.windows.update(self.compare(expected, flags))
                break
            except Unexpected as e:
                reason = str(e)
            if self.qemu.process.poll() is not None:
                return "error the virtual machine ended"
            waited, busy = time.monotonic() - begun, self.processor_time() - spent
            # On a busy host the virtual machine may have got little of that time.
            if waited > float(seconds) and (busy > float(seconds) / 3 or waited > 5 * float(seconds)):
                break
        self.result(step, reason)
        return "error " + reason if reason else "ok"

    # ---- the pointer ----

    def send(self, *events):
        self.qemu.qmp("input-send-event", events=[{"type": kind, "data": data} for kind, data in events])
        time.sleep(0.1)

    def point(self, x, y):
        self.send(*(("abs", {"axis": axis, "value": min(32767, -(-at * 32768 // size))})
                    for axis, at, size in (("x", x, self.width), ("y", y, self.height))))

    def corner(self):
        """Return a place where the pointer covers little. Not the same each time: the kernel drops events without change."""
        self.wiggle = 1 - self.wiggle
        return self.width - 1 - self.wiggle, self.height - 1

    def empty_place(self):
        """Return the middle of the largest margin beside the windows."""
        boxes = self.windows.values()
        left = min((x for x, _, _, _ in boxes), default=self.width)
        right = max((x + width for x, _, width, _ in boxes), default=self.width)
        self.wiggle = 1 - self.wiggle
        return (left // 2 if left > self.width - right else (right + self.width) // 2) + self.wiggle, self.height // 2

    def press(self, key, button, down):
        events = [("key", {"key": {"type": "qcode", "data": key}, "down": down}), ("btn", {"button": button, "down": down})]
        for event in events if down else reversed(events):
            self.send(event)
            time.sleep(0.2)

    def drag(self, window, kind, key, button):
        """Drag a window, again if it does not follow: QEMU drops events that a busy guest does not fetch in time."""
        name, _, colour = window.partition("=")
        colour = bytes.fromhex(colour)
        for _ in range(3):
            self.windows[name] = self.picture().find(colour)
            if not self.windows[name]:
                return "error there is no window %s" % name
            self.drag_once(name, kind, key, button)
            self.point(*self.corner())
            for _ in range(40):
                found = self.picture().find(colour)
                if found and self.follows(name, "moved" if kind == "move" else "resized", found):
                    return "ok"
                time.sleep(0.5)
        return "ok"

    def drag_once(self, name, kind, key, button):
        x, y, width, height = self.windows[name]
        dx = sign(STEP[0], x, x + width, self.width)
        dy = sign(STEP[1], y, y + height, self.height)
        if kind == "resize":
            # A window that does not fit becomes smaller.
            dx, dy = (d if after + d < size - CURSOR else -d // 2 if d > 0 else d // 2
                      for d, after, size in ((STEP[0], x + width, self.width), (STEP[1], y + height, self.height)))
        from_x, from_y = (x + width // 2, y + height // 2) if kind == "move" else (x + width - 12, y + height - 12)
        self.dragged[name] = dx, dy
        self.point(from_x, from_y)
        time.sleep(0.3)
        self.press(key, button, True)
        # Some desktops leave out the first movement, so it is a short one.
        for n in (1, 10, 20, 30, 40):
            self.point(from_x + dx * n // 40, from_y + dy * n // 40)
            time.sleep(0.2)
        time.sleep(0.3)
        self.press(key, button, False)

    def serve(self, request):
        word, *words = request.split()
        if word == "begin":
            self.results.append({"desktop": words[0], "background": words[1],
                                 "steps": {step: "not reached" for step in words[2:]}})
            self.windows, self.dragged = {}, {}
            return "ok"
        if word == "check":
            return self.check(*words)
        if word == "drag":
            return self.drag(*words)
        if word == "failed":
            self.result(words[0], " ".join(words[1:]))
            return "ok"
        return super().serve(request)


if __name__ == "__main__":
    sys.exit(run.main(sys.argv[1:], DesktopMachine))
