import { Btf } from '../../btf/index.js'
import { BtfEncoder, type EncodedMember } from '../../btf/testing/btf-encoder.js'

const SIGNED = 1
const BOOL = 4

/** What differs between the kernels that tests pretend to run on. */
export interface SmallKernel {
  /** The functions that guard the scratch (Linux 6.10) and cast an address (Linux 6.2). */
  readonly kfuncs?: boolean
  /** Whether the exit tracepoint has its last argument. */
  readonly groupDead?: boolean
  /** Whether there is a `struct dentry`, without which there are no paths. */
  readonly dentry?: boolean
  /** Whether short names lie within it, without which there are no paths either. */
  readonly inlineNames?: boolean
  /** Whether there is a structure with a long array of bytes, through which any memory can be read. */
  readonly window?: boolean
}

/** A kernel with a handful of types, at offsets that no real one has. */
export function smallBtf({
  kfuncs = true,
  groupDead = true,
  dentry = true,
  inlineNames = false,
  window = false,
}: SmallKernel = {}): Btf {
  const e = new BtfEncoder()
  const numbers = {
    s32: e.int('int', 32, SIGNED),
    u32: e.int('unsigned int', 32, 0),
    s64: e.int('long', 64, SIGNED),
    u64: e.int('unsigned long', 64, 0),
    char: e.int('char', 8, SIGNED),
    bool: e.int('_Bool', 8, BOOL),
  }
  const text = e.pointer(e.const(numbers.char))
  const address = e.pointer(0)
  e.enum('pid_type', [
    ['PIDTYPE_PID', 0],
    ['PIDTYPE_SID', 3],
  ])
  if (dentry) encodeDentry(e, numbers, { text, address, inlineNames })
  encodeMounts(e, address)
  if (window) e.struct('linux_binprm', 264, [member('buf', e.array(numbers.char, 256), 8)])
  const task = encodeTask(e, numbers, address)
  encodeTracepoint(e, 'sched_process_exec', address, [
    ['p', task],
    ['old_pid', numbers.s32],
    ['name', text],
  ])
  const dead: [string, number][] = groupDead ? [['group_dead', numbers.bool]] : []
  encodeTracepoint(e, 'sched_process_exit', address, [['p', task], ...dead])
  e.func('wake_up_new_task', e.funcProto(0, [['p', task]]))
  if (kfuncs) {
    const proto = e.funcProto(0, [])
    for (const name of ['bpf_preempt_disable', 'bpf_preempt_enable', 'bpf_rdonly_cast']) e.func(name, proto)
  }
  encodeHooks(e, numbers, { address, task, kfuncs })
  return Btf.parse(e.bytes(), 'a small kernel')
}

/** What hooks of other kinds lead to; behind all others, so that their ids stay. */
function encodeHooks(
  e: BtfEncoder,
  { s32, u32, s64, u64 }: Record<'s32' | 'u32' | 's64' | 'u64', number>,
  { address, task, kfuncs }: { address: number; task: number; kfuncs: boolean },
): void {
  const names = ['r10', 'r9', 'r8', 'dx', 'si', 'di', 'orig_ax', 'cs']
  const fields = names.map((name, index) => member(name, u64, index * 8))
  const registers = e.pointer(e.struct('pt_regs', names.length * 8, fields))
  encodeTracepoint(e, 'sys_enter', address, [
    ['regs', registers],
    ['id', s64],
  ])
  encodeTracepoint(e, 'sys_exit', address, [
    ['regs', registers],
    ['ret', s64],
  ])
  e.struct('__sk_buff', 8, [member('len', u32, 0), member('mark', u32, 4)])
  e.struct('bpf_sock', 8, [member('family', u32, 0), member('protocol', u32, 4)])
  e.struct('bpf_sock_addr', 8, [member('user_family', u32, 0), member('user_ip4', u32, 4)])
  e.struct('sk_buff', 16, [member('truesize', u32, 8)])
  const meta = e.pointer(e.struct('bpf_iter_meta', 16, [member('seq', address, 8)]))
  e.func(
    'bpf_iter_task',
    e.funcProto(s32, [
      ['meta', meta],
      ['task', task],
    ]),
  )
  const pair = e.struct('pair', 16, [member('a', u64, 0), member('b', u64, 8)])
  e.func(
    'does_work',
    e.funcProto(s32, [
      ['task', task],
      ['both', pair],
      ['flags', u64],
    ]),
  )
  if (kfuncs) e.func('bpf_cast_to_kern_ctx', e.funcProto(address, [['obj', address]]))
}

function encodeDentry(
  e: BtfEncoder,
  { u32, char }: Record<'u32' | 'char', number>,
  { text, address, inlineNames }: { text: number; address: number; inlineNames: boolean },
): void {
  const name = e.struct('qstr', 16, [member('hash', u32, 0), member('len', u32, 4), member('name', text, 8)])
  const hash = e.struct('hlist_bl_node', 16, [member('next', address, 0), member('pprev', address, 8)])
  const inline = inlineNames ? [member('d_iname', e.array(char, 16), 48)] : []
  e.struct('dentry', 64, [
    member('d_hash', hash, 8),
    member('d_parent', address, 24),
    member('d_name', name, 32),
    ...inline,
  ])
}

function encodeMounts(e: BtfEncoder, address: number): void {
  const vfsmount = e.struct('vfsmount', 16, [member('mnt_root', address, 8)])
  e.struct('mount', 64, [
    member('mnt_parent', address, 8),
    member('mnt_mountpoint', address, 16),
    member('mnt', vfsmount, 32),
  ])
}

/** @returns the id of a pointer to `struct task_struct` */
function encodeTask(
  e: BtfEncoder,
  { s32, u32, s64, u64, char, bool }: Record<'s32' | 'u32' | 's64' | 'u64' | 'char' | 'bool', number>,
  address: number,
): number {
  const pid = e.struct('pid', 24, [member('level', u32, 0), member('numbers', e.array(u64, 1), 8)])
  const pids = e.array(e.pointer(pid), 4)
  const signal = e.pointer(e.struct('signal_struct', 64, [member('pids', pids, 8), member('utime', u64, 40)]))
  const path = e.struct('path', 16, [member('mnt', address, 0), member('dentry', address, 8)])
  const fs = e.pointer(e.struct('fs_struct', 48, [member('pwd', path, 8), member('root', path, 24)]))
  const start = e.union('', 8, [member('start_boottime', u64, 0), member('start_ticks', s64, 0)])
  const comm = e.array(char, 16)
  // The pointer's id is followed by that of the structure, which points to itself.
  const task: number = e.pointer(comm + 2)
  e.struct(
    'task_struct',
    96,
    [
      member('pid', s32, 0),
      member('tgid', s32, 4),
      bitField('in_execve', u32, 67, 1),
      bitField('policy', s32, 72, 5),
      member('state', char, 12),
      member('group_leader', task, 16),
      member('comm', comm, 24),
      member('', start, 40),
      member('signal', signal, 48),
      member('fs', fs, 56),
      member('nice', s64, 64),
      member('frozen', bool, 72),
      member('migration_disabled', bool, 74),
      member('arg_start', u64, 80),
      member('stack', address, 88),
    ],
    true,
  )
  return task
}

function encodeTracepoint(
  e: BtfEncoder,
  name: string,
  address: number,
  parameters: readonly (readonly [string, number])[],
): void {
  e.typedef(`btf_trace_${name}`, e.pointer(e.funcProto(0, [['__data', address], ...parameters])))
}

function member(name: string, type: number, offsetBytes: number): EncodedMember {
  return { name, type, offset: offsetBytes * 8 }
}

function bitField(name: string, type: number, offsetBits: number, widthBits: number): EncodedMember {
  return { name, type, offset: (widthBits << 24) | offsetBits }
}
