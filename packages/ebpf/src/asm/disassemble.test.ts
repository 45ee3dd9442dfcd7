import assert from 'node:assert/strict'
import { test } from 'node:test'
import { disassemble } from './disassemble.js'
import { BPF_FUNC_cgrp_storage_delete, BPF_FUNC_d_path, BPF_FUNC_ringbuf_query } from './helper-ids.js'
import * as helperIds from './helper-ids.js'
import { helperName } from './isa.js'

function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

// What the assembler does not write but the kernel shows, compilers emit and other programs contain.
const TEXTS: readonly (readonly [bytes: string, text: string])[] = [
  ['8401000000000000', 'w1 = -w1'],
  ['280000000c000000', 'r0 = *(u16 *)skb[12]'],
  ['5060000000000000', 'r0 = *(u8 *)skb[r6 +0]'],
  ['40700000fcffffff', 'r0 = *(u32 *)skb[r7 -4]'],
  ['9121000000000000', 'r1 = *(s8 *)(r2 +0)'],
  ['8121040000000000', 'r1 = *(s32 *)(r2 +4)'],
  ['bf21080000000000', 'r1 = (s8)r2'],
  ['bf21200000000000', 'r1 = (s32)r2'],
  ['bc21100000000000', 'w1 = (s16)w2'],
  ['d701000010000000', 'r1 = bswap16 r1'],
  ['3f21010000000000', 'r1 s/= r2'],
  ['9401010003000000', 'w1 s%= 3'],
  ['0600000070110100', 'gotol +70000'],
  ['0500feff00000000', 'goto -2'],
  ['db21080001000000', 'r2 = atomic64_fetch_add((u64 *)(r1 +8), r2)'],
  ['c321f8ffa1000000', 'r2 = atomic_fetch_xor((u32 *)(r1 -8), r2)'],
  ['db21080050000000', 'lock *(u64 *)(r1 +8) &= r2'],
  ['db210800e1000000', 'r2 = atomic64_xchg((u64 *)(r1 +8), r2)'],
  ['db210800f1000000', 'r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)'],
  ['85000000ffffff7f', 'call unknown#2147483647'],
  ['85100000fbffffff', 'call pc-5'],
  ['18120000070000000000000000000000', 'r2 = map[fd:7] ll'],
  ['18220000070000000000000010000000', 'r2 = map[fd:7]+16 ll'],
  ['18420000f6ffffff0000000000000000', 'r2 = func-10 ll'],
]

for (const [bytes, text] of TEXTS) {
  test(`prints ${text}`, () => {
    assert.deepEqual(disassemble(fromHex(bytes)), [text])
  })
}

const NOT_INSTRUCTIONS: readonly (readonly [what: string, bytes: string])[] = [
  ['an unknown opcode', 'ff00000000000000'],
  ['an unknown jump', 'e500000000000000'],
  ['a register that does not exist', 'bf1b000000000000'],
  ['a source register beside an immediate', 'b721000005000000'],
  ['an immediate beside a source register', 'bf21000005000000'],
  ['an immediate in a load', '7121010001000000'],
  ['an offset in exit', '9500010000000000'],
  ['a byte swap of 24 bits', 'dc01000018000000'],
  ['a sign-extending load of 8 bytes', '9921000000000000'],
  ['an atomic operation on a byte', 'd321000000000000'],
  ['a call of an unknown kind', '8530000001000000'],
]

for (const [what, bytes] of NOT_INSTRUCTIONS) {
  test(`prints ${what} raw`, () => {
    assert.deepEqual(disassemble(fromHex(bytes)), [`.raw ${bytes.match(/../g)?.join(' ')}`])
  })
}

test('prints half of a two-slot instruction raw', () => {
  assert.deepEqual(disassemble(fromHex('1801000001000000')), ['.raw 18 01 00 00 01 00 00 00'])
  assert.deepEqual(disassemble(fromHex(['1801000001000000', '9500000000000000'].join(''))), [
    '.raw 18 01 00 00 01 00 00 00',
    'exit',
  ])
})

test('takes names from its options', () => {
  const code = fromHex(
    [
      '18110000000000000000000000000000',
      '18220000090000000000000004000000',
      '8520000063000000',
      '8500000001000000',
    ].join(''),
  )
  const seen: (readonly [number, number])[] = []
  const lines = disassemble(code, {
    mapName: (fd, slot) => {
      seen.push([fd, slot])
      return slot === 0 ? 'scratch' : undefined
    },
    kfuncName: (id) => `kernel_${id}`,
    helperName: (id) => `helper_${id}`,
  })
  assert.deepEqual(lines, [
    'r1 = map[scratch] ll',
    'r2 = map[fd:9]+4 ll',
    'call kfunc kernel_99#99',
    'call helper_1#1',
  ])
  assert.deepEqual(seen, [
    [0, 0],
    [9, 2],
  ])
})

test('reads a view into a larger buffer', () => {
  assert.deepEqual(disassemble(fromHex('ffffff9500000000000000ff').subarray(3, 11)), ['exit'])
})

test('refuses a length that is not whole slots', () => {
  assert.throws(() => disassemble(new Uint8Array(7)), { name: 'RangeError', message: /multiple of 8.*: 7$/ })
  assert.deepEqual(disassemble(new Uint8Array(0)), [])
})

test('numbers the helpers as the kernel does, without gaps', () => {
  assert.deepEqual(
    Object.values(helperIds).sort((a, b) => a - b),
    Array.from({ length: 211 }, (_, i) => i + 1),
  )
  // A name missing or doubled anywhere would shift those after it.
  assert.equal(helperIds.BPF_FUNC_get_current_task, 35)
  assert.equal(helperIds.BPF_FUNC_get_stack, 67)
  assert.equal(helperIds.BPF_FUNC_probe_read_kernel_str, 115)
  assert.equal(BPF_FUNC_ringbuf_query, 134)
  assert.equal(BPF_FUNC_d_path, 147)
  assert.equal(helperIds.BPF_FUNC_get_current_task_btf, 158)
  assert.equal(helperIds.BPF_FUNC_loop, 181)
  assert.equal(BPF_FUNC_cgrp_storage_delete, 211)
  assert.equal(helperName(5), 'bpf_ktime_get_ns')
  assert.equal(helperName(0), undefined)
})
