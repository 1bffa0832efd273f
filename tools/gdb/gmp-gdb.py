# SPDX-License-Identifier: MIT
"""
gmp-gdb.py - goroutines of libgmprt in gdb: live processes and core files.

    (gdb) source gmp-gdb.py
    (gdb) info goroutines            one line each; * = carried by a thread now
    (gdb) goroutine 7 bt             any command, with goroutine 7's stack in place of a thread's
    (gdb) goroutine all bt
    (gdb) goroutine 7 frame 2        frames are numbered as bt shows them

Nothing of the library's debug information is needed: all offsets come from the exported object
gmp_rt_layout (gmp_abi.h), found by its symbol or, in a stripped program, through the ELF note "GMP".

How a parked goroutine's stack is shown: an unwinder of ours claims the innermost frame of the
selected thread and says that it was called from where the goroutine stopped. Nothing is written to
the process, so it works on core files. That made-up innermost frame is cut from what bt prints.

Core files made by the kernel hold all stacks. Those of gdb's own `gcore` do not where the guards
below stacks are MADV_GUARD_INSTALL regions (Linux 6.13 and later): gdb 13 leaves out a mapping that
it cannot read as a whole.
"""

import re
import struct

import gdb
import gdb.unwinder

STATUS = {0: "idle", 1: "runnable", 2: "running", 3: "syscall", 4: "waiting", 6: "dead",
          8: "copystack", 9: "preempted"}

# GMP_WAIT_REASONS of gmp_abi.h, in order; selftests/gdb holds the two together.
WAIT = ["", "chan receive", "chan send", "chan receive (nil chan)", "chan send (nil chan)", "select",
        "select (no cases)", "IO wait", "sleep", "semacquire", "sync.Mutex.Lock",
        "sync.RWMutex.RLock", "sync.RWMutex.Lock", "sync.WaitGroup.Wait", "sync.Cond.Wait",
        "sync.Once.Do", "group limit", "timer stop", "preempted", "stopping the world", "file IO",
        "process wait", "waiting for its thread"]

LAYOUT_MAGIC = 0x3159414c50524d47
LAYOUT = struct.Struct("<QIIIIq" "QQ8I" "Q6I" "Q8I" "Q")
LAYOUT_FIELDS = (
    "magic version size ready maxprocs tls_off "
    "g_chunks g_nchunks g_per_chunk g_size g_off_sp g_off_stack_lo g_off_stack_hi g_sp_off_pc "
    "g_sp_off_bp reserved0 "
    "allm m_off_alllink m_off_id m_off_tid m_off_curg m_off_p m_off_tls "
    "allp p_off_id p_off_word p_off_m p_off_runqhead p_off_runqtail p_off_runnext "
    "p_off_schedtick p_off_ng globq_len").split()
HEAD = struct.Struct("<QIHHQQQQQQIIQ")      # struct gmp_g_head
MAX_CHUNKS = 16384
MAX_MS = 10000


class GmpError(gdb.GdbError):
    """Shown as one line, without a Python traceback."""


def read(addr, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(addr, size))
    except gdb.MemoryError as err:
        raise GmpError("cannot read %d bytes at %#x" % (size, addr)) from err


def u64(addr):
    return struct.unpack("<Q", read(addr, 8))[0]


def u32(addr):
    return struct.unpack("<I", read(addr, 4))[0]


def text(addr, limit=240):
    """A NUL-ended text; the G may have let go of it meanwhile, and a process may write what it likes."""
    try:
        raw = read(addr, limit).split(b"\0")[0].decode("utf-8", "replace") if addr else ""
    except gdb.GdbError:
        return ""
    return "".join(c if c.isprintable() else "?" for c in raw)  # ends no line, steers no terminal


# ---- the layout ---------------------------------------------------------------------------------

def layout_by_symbol():
    try:
        return int(gdb.parse_and_eval("(unsigned long)&gmp_rt_layout"))
    except gdb.error:
        return None


def layouts_by_note():
    """Section .note.gmp: name size 4, desc size 8, type 1, "GMP\\0", s64 distance from itself."""
    for line in gdb.execute("info files", to_string=True).splitlines():
        m = re.match(r"\s*(0x[0-9a-f]+) - 0x[0-9a-f]+ is \.note\.gmp\b", line)
        if not m:
            continue
        desc = int(m.group(1), 16) + 16
        try:
            yield desc + struct.unpack("<q", read(desc, 8))[0]
        except gdb.GdbError:
            pass


class Layout:
    """gmp_rt_layout as attributes."""

    def __init__(self, addr):
        values = LAYOUT.unpack(read(addr, LAYOUT.size))
        self.__dict__.update(zip(LAYOUT_FIELDS, values))
        if self.magic != LAYOUT_MAGIC:
            raise GmpError("no gmp_rt_layout at %#x" % addr)
        if self.version != 1:
            raise GmpError("gmp_rt_layout is of version %d; this script knows 1" % self.version)


def find_layout():
    addr = layout_by_symbol()
    for a in [addr] if addr else layouts_by_note():
        lay = Layout(a)
        if not lay.ready:
            raise GmpError("gmp_run() does not run")
        return lay
    raise GmpError("this program does not use libgmprt (no gmp_rt_layout, no note)")


# ---- Ms and Gs ------------------------------------------------------------------------------------

class M:
    def __init__(self, lay, addr):
        self.id = u32(addr + lay.m_off_id)
        self.tid = u32(addr + lay.m_off_tid)
        self.curg = u64(addr + lay.m_off_curg)
        self.next = u64(addr + lay.m_off_alllink)


def all_ms(lay):
    addr, ms = u64(lay.allm), []
    while addr and len(ms) < MAX_MS:
        ms.append(M(lay, addr))
        addr = ms[-1].next
    return ms


class G:
    def __init__(self, lay, addr, data, carriers):
        (self.goid, self.status, self.reason, self.flags, self.since, self.start_pc,
         self.create_pc, self.parent, self.runs, self.cpu_ns, self.m_id, _,
         self.name) = HEAD.unpack_from(data)
        self.addr = addr
        self.lay = lay
        self.sp = struct.unpack_from("<Q", data, lay.g_off_sp)[0]
        self.m = carriers.get(addr)

    def state(self):
        if self.m:
            return STATUS[3] if self.status == 3 else STATUS[2]
        if self.status == 4 and 0 < self.reason < len(WAIT):
            return WAIT[self.reason]
        return STATUS.get(self.status, "status %d" % self.status)

    def registers(self):
        """Where it stopped; None if it never ran. The order is that of arch/x86_64/gobuf.h."""
        if not self.sp:
            return None
        saved = struct.unpack("<7Q", read(self.sp, 56))
        regs = dict(zip(("r15", "r14", "r13", "r12", "rbx", "rbp", "rip"), saved))
        regs["rbp"] = u64(self.sp + self.lay.g_sp_off_bp)
        regs["rip"] = u64(self.sp + self.lay.g_sp_off_pc)
        regs["rsp"] = self.sp + self.lay.g_sp_off_pc + 8
        if not regs["rip"]:
            raise GmpError("goroutine %d: its stack is not in this core file" % self.goid)
        return regs


def all_gs(lay):
    carriers = {m.curg: m for m in all_ms(lay) if m.curg}
    n = min(u64(lay.g_nchunks), MAX_CHUNKS)
    for i in range(n):
        chunk = u64(lay.g_chunks + 8 * i)
        data = read(chunk, lay.g_per_chunk * lay.g_size)
        for off in range(0, len(data), lay.g_size):
            if struct.unpack_from("<Q", data, off)[0]:
                g = G(lay, chunk + off, data[off:off + lay.g_size], carriers)
                if g.status != 6:
                    yield g


def symbol(pc):
    """function+offset, and file:line if known."""
    if not pc:
        return "?"
    where = gdb.execute("info symbol %#x" % pc, to_string=True).split(" in section")[0]
    name = "%#x" % pc if where.startswith("No symbol") else where.replace(" + ", "+").strip()
    sal = gdb.find_pc_line(pc)
    return "%s at %s:%d" % (name, sal.symtab.filename, sal.line) if sal.symtab else name


def thread_of(m):
    for t in gdb.selected_inferior().threads():
        if t.ptid[1] == m.tid:
            return t
    return None


# ---- another context than the thread's ------------------------------------------------------------

class GoroutineUnwinder(gdb.unwinder.Unwinder):
    """While `regs` is set: the caller of every thread's innermost frame stands there."""

    def __init__(self):
        super().__init__("gmp goroutine")
        self.regs = None
        self.sp = None

    def __call__(self, pending):
        if self.regs is None or int(pending.read_register("rsp")) != self.sp:
            return None
        # Stack address 0: the goroutine's frames, wherever they lie, are outside of it.
        zero = gdb.Value(0).cast(pending.read_register("rsp").type)
        info = pending.create_unwind_info(FrameId(zero, pending.read_register("rip")))
        for name, value in self.regs.items():
            kind = pending.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


UNWINDER = GoroutineUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def made_up_frames():
    """The frames the unwinder's one consists of (inlined calls are frames too), and the first behind."""
    frame, n = gdb.newest_frame(), 1
    while frame.type() == gdb.INLINE_FRAME:
        frame, n = frame.older(), n + 1
    return n, frame.older()


def strip(out, n):
    """bt's output from frame n on, numbered from 0."""
    lines = out.splitlines()
    first = next((i for i, l in enumerate(lines) if re.match(r"#%d\s" % n, l)), len(lines))
    return "\n".join(re.sub(r"^#(\d+)\s*", lambda m: "#%-3d" % (int(m.group(1)) - n), l)
                     for l in lines[first:])


def count_made_up(command, n):
    """In `frame 2` and `bt 2` numbers are those that bt prints: without the made-up frames."""
    m = re.match(r"(f|frame|bt|backtrace|where)\s+(\d+)$", command)
    return "%s %d" % (m.group(1), int(m.group(2)) + n) if m else command


def run_parked(g, command):
    regs = g.registers()
    if regs is None:
        print("has not run yet: will begin with %s" % symbol(g.start_pc))
        return
    if not gdb.selected_thread():
        raise GmpError("no thread is selected")
    gdb.newest_frame().select()
    UNWINDER.sp = int(gdb.newest_frame().read_register("rsp"))
    UNWINDER.regs = regs
    gdb.invalidate_cached_frames()
    try:
        n, frame = made_up_frames()
        if not frame:
            raise GmpError("goroutine %d: its stack cannot be read" % g.goid)
        frame.select()
        command = count_made_up(command, n)
        if re.match(r"(bt|backtrace|where)\b", command):
            print(strip(gdb.execute(command, to_string=True), n))
        else:
            gdb.execute(command)
    finally:
        UNWINDER.regs = None
        gdb.invalidate_cached_frames()
        gdb.newest_frame().select()


def run_carried(g, command):
    thread, before = thread_of(g.m), gdb.selected_thread()
    if not thread:
        raise GmpError("goroutine %d runs on thread %d, which gdb does not know" % (g.goid, g.m.tid))
    thread.switch()
    try:
        gdb.execute(command)
    finally:
        if before:
            before.switch()


def run_command(g, command):
    if g.m:
        run_carried(g, command)
    else:
        run_parked(g, command)


# ---- commands ---------------------------------------------------------------------------------------

def title(g):
    out = "goroutine %d [%s]:" % (g.goid, g.state())
    name = text(g.name)
    if name:
        out += " " + name
    if g.m:
        out += " m=%d tid=%d" % (g.m.id, g.m.tid)
    return out


class InfoGoroutines(gdb.Command):
    """List goroutines: number, what it does, name, where it stands, who made it.

* marks those that a thread carries now, with the thread's LWP number."""

    def __init__(self):
        super().__init__("info goroutines", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def where(self, g):
        if g.m:
            return "on M%d, LWP %d" % (g.m.id, g.m.tid)
        try:
            regs = g.registers()
        except gdb.GdbError:
            return "stack not available"
        return symbol(regs["rip"]) if regs else "has not run yet"

    def invoke(self, argument, from_tty):
        lay = find_layout()
        for g in all_gs(lay):
            name = text(g.name)
            made = " (made by %s)" % symbol(g.create_pc - 1) if g.goid > 1 and g.create_pc else ""
            print("%s %-6d %-22s %s%s: %s%s" % ("*" if g.m else " ", g.goid, g.state(),
                                                name + " " if name else "", symbol(g.start_pc),
                                                self.where(g), made))


class Goroutine(gdb.Command):
    """Run a gdb command in the context of a goroutine: goroutine <number | all> <command>

For example `goroutine 7 bt`, `goroutine all bt`, `goroutine 7 info locals`."""

    def __init__(self):
        super().__init__("goroutine", gdb.COMMAND_STACK, gdb.COMPLETE_NONE)

    def invoke(self, argument, from_tty):
        words = argument.split(None, 1)
        if len(words) != 2 or not (words[0] == "all" or words[0].isdigit()):
            raise GmpError("usage: goroutine <number | all> <command>")
        lay = find_layout()
        gs = [g for g in all_gs(lay) if words[0] == "all" or g.goid == int(words[0])]
        if not gs:
            raise GmpError("no goroutine %s" % words[0])
        if words[0] != "all":
            run_command(gs[0], words[1])
            return
        for g in gs:
            print(title(g))
            try:
                run_command(g, words[1])
            except gdb.error as err:
                print(err)
            except gdb.GdbError as err:
                print(err)
            print("")


InfoGoroutines()
Goroutine()
