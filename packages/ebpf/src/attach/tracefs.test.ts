import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mountsOf, namesIn, parseFormat } from './tracefs.js'

test('mounts of tracefs are found wherever they are', () => {
  const mountinfo = [
    '24 30 0:22 / /proc rw,nosuid - proc proc rw',
    '99 24 0:12 / /sys/kernel/tracing rw - tracefs tracefs rw',
    String.raw`100 24 0:12 / /mnt/a\040b rw,relatime shared:5 master:1 - tracefs none rw`,
    '101 24 0:13 / /tracefs rw - tmpfs tracefs rw',
    '',
  ].join('\n')
  assert.deepEqual(mountsOf(mountinfo), ['/sys/kernel/tracing', '/mnt/a b'])
})

test('names of the own group are found among all kprobe events', () => {
  const list = [
    'p:quark/quark_12_1_fork_0 wake_up_new_task a0=+0(%di):u32',
    'p:kprobes/quark_13_1_fork_0 wake_up_new_task',
    'r8:quark/quark_12_1_exit_1 do_exit',
    'p:kprobes/other do_exit arg=quark/quark_1_1_x',
    '',
  ].join('\n')
  assert.deepEqual(namesIn(list), ['quark_12_1_fork_0', 'quark_12_1_exit_1'])
})

test('fields of a format are read: numbers, arrays and strings', () => {
  const format = [
    'name: quark_1',
    'ID: 1234',
    'format:',
    '\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;',
    '',
    '\tfield:unsigned long __probe_ip;\toffset:8;\tsize:8;\tsigned:0;',
    '\tfield:u32 a0;\toffset:16;\tsize:4;\tsigned:0;',
    '\tfield:u64 a1[64];\toffset:20;\tsize:512;\tsigned:0;',
    '\tfield:__data_loc char[] a2;\toffset:532;\tsize:4;\tsigned:1;',
    '',
    'print fmt: "(%lx) a0=%u", REC->__probe_ip, REC->a0',
  ].join('\n')
  assert.deepEqual(
    [...parseFormat(format)],
    [
      ['common_type', { offset: 0, sizeBytes: 2, dynamic: false }],
      ['__probe_ip', { offset: 8, sizeBytes: 8, dynamic: false }],
      ['a0', { offset: 16, sizeBytes: 4, dynamic: false }],
      ['a1', { offset: 20, sizeBytes: 512, dynamic: false }],
      ['a2', { offset: 532, sizeBytes: 4, dynamic: true }],
    ],
  )
})
