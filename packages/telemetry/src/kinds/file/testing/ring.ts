/** io_uring for situations in Python: one ring, one operation after the other. */

export const RING_PRELUDE = `
class Ring:
    """Submits one operation at a time; the kernel does it in this task, or in a thread of its own (SQPOLL)."""
    OPENAT, CLOSE, WRITE, RENAMEAT, UNLINKAT, MKDIRAT = 18, 19, 23, 35, 36, 37
    def __init__(self, flags=0):
        self.params = (ctypes.c_uint32 * 30)()
        self.params[2] = flags
        self.params[4] = 1000
        libc.syscall.restype = ctypes.c_long
        self.fd = libc.syscall(425, 8, ctypes.byref(self.params))
        if self.fd < 0: raise Absent('io_uring: ' + os.strerror(ctypes.get_errno()))
        p = self.params
        size = max(p[16] + p[0] * 4, p[25] + p[1] * 16)
        self.cq = self.rings = mmap.mmap(self.fd, size, mmap.MAP_SHARED | 0x8000, offset=0)
        self.entries = mmap.mmap(self.fd, p[0] * 64, mmap.MAP_SHARED | 0x8000, offset=0x10000000)
        self.flags, self.kept = flags, []
    def word(self, ring, at, value=None):
        if value is None: return int.from_bytes(ring[at:at + 4], 'little')
        ring[at:at + 4] = (value & 0xffffffff).to_bytes(4, 'little')
    def text(self, text):
        self.kept.append(ctypes.create_string_buffer(text))
        return ctypes.addressof(self.kept[-1])
    def do(self, op, fd=-100, at=0, length=0, offset=0, flags=0):
        p = self.params
        tail = self.word(self.rings, p[11])
        slot = tail & self.word(self.rings, p[12])
        entry = bytearray(64)
        entry[0] = op
        entry[4:8] = (fd & 0xffffffff).to_bytes(4, 'little')
        entry[8:16] = offset.to_bytes(8, 'little')
        entry[16:24] = at.to_bytes(8, 'little')
        entry[24:28] = (length & 0xffffffff).to_bytes(4, 'little')
        entry[28:32] = flags.to_bytes(4, 'little')
        self.entries[slot * 64:slot * 64 + 64] = bytes(entry)
        self.word(self.rings, p[16] + 4 * slot, slot)
        self.word(self.rings, p[11], tail + 1)
        wake = 2 if self.flags & 2 else 0
        if libc.syscall(426, self.fd, 1, 1, 1 | wake, None, 0) < 0: raise OSError(ctypes.get_errno(), 'enter')
        head = self.word(self.cq, p[20])
        for _ in range(3000):
            if self.word(self.cq, p[21]) != head: break
            time.sleep(0.001)
        else: raise OSError('nothing was completed')
        at = p[25] + 16 * (head & self.word(self.cq, p[22]))
        result = ctypes.c_int32(self.word(self.cq, at + 8)).value
        self.word(self.cq, p[20], head + 1)
        if result == -9 and self.flags & 2: raise Absent('io_uring with a thread of its own for all files')
        if result == -22 and op >= self.RENAMEAT: raise Absent(f'operation {op} of io_uring')
        if result < 0: raise OSError(-result, f'operation {op}')
        return result
    def open(self, path, flags): return self.do(self.OPENAT, at=self.text(path), length=0o644, flags=flags)
    def write(self, fd, text): return self.do(self.WRITE, fd, self.text(text), len(text))
    def close(self, fd): self.do(self.CLOSE, fd)
    def mkdir(self, path): self.do(self.MKDIRAT, at=self.text(path), length=0o755)
    def unlink(self, path): self.do(self.UNLINKAT, at=self.text(path))
    def rename(self, old, new): self.do(self.RENAMEAT, at=self.text(old), length=-100, offset=self.text(new))
`
