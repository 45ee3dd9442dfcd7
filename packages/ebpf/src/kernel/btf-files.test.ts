import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { BtfError } from '../errors.js'
import { kernelBtf } from './btf.js'
import { btfOfFile, KERNEL_BTF_PATH, readKernelBtf } from './btf-files.js'

const NO_BTF = /^This kernel has no BTF: .+ does not exist .*CONFIG_DEBUG_INFO_BTF/

test('the running kernel', () => {
  if (!existsSync(KERNEL_BTF_PATH)) {
    assert.throws(() => kernelBtf(), { name: 'BtfError', message: NO_BTF })
    return
  }
  const btf = kernelBtf()
  assert.equal(btf.origin, KERNEL_BTF_PATH)
  assert.equal(btf.truncatedAtType, undefined)
  assert.ok(btf.typeCount > 1000)

  const task = btf.findStruct('task_struct')
  assert.ok(task !== undefined)
  const comm = btf.member(task, 'comm')
  assert.ok(comm !== undefined)
  assert.equal(comm.bitOffset % 8, 0)
  assert.equal(btf.typeName(comm.type), 'char[16]')
  assert.equal(btf.sizeOf(comm.type), 16)
  const parent = btf.member(task, 'real_parent')
  assert.equal(btf.pointee(parent?.type ?? 0), task)
  const tgid = btf.member(task, 'tgid')
  assert.deepEqual(btf.integer(tgid?.type ?? 0), { bits: 32, signed: true, bool: false, char: false })
  assert.equal(btf.enumValue('pid_type', 'PIDTYPE_TGID'), 1)
  assert.equal(btf.findEnumValue('BPF_MAP_TYPE_ARRAY'), 2)
  const exec = btf.findTracepoint('sched_process_exec')
  assert.deepEqual(
    exec?.parameters.map(({ type }) => btf.typeName(type)),
    ['struct task_struct *', 'pid_t', 'struct linux_binprm *'],
  )
})

test('every type of the running kernel can be printed and measured', () => {
  if (!existsSync(KERNEL_BTF_PATH)) {
    assert.throws(() => readKernelBtf(), NO_BTF)
    return
  }
  const btf = kernelBtf()
  for (let id = 1; id <= btf.typeCount; id++) {
    assert.notEqual(btf.typeName(id), '')
    btf.sizeOf(id)
  }
})

test('the error for a kernel without BTF names what it lacks', () => {
  assert.throws(
    () => readKernelBtf('/nonexistent/vmlinux'),
    (error) => {
      assert.ok(error instanceof BtfError)
      assert.match(error.message, NO_BTF)
      assert.ok(error.cause instanceof Error)
      return true
    },
  )
})

test('the error for an unreadable file names the reason', () => {
  assert.throws(
    () => btfOfFile('/nonexistent/vmlinux'),
    (error) => {
      assert.ok(error instanceof BtfError)
      assert.match(
        error.message,
        /^Cannot read BTF from "\/nonexistent\/vmlinux": ENOENT \(give a raw BTF file/,
      )
      assert.ok(error.cause instanceof Error)
      return true
    },
  )
  assert.throws(() => btfOfFile('/'), { message: /^Cannot read BTF from "\/": EISDIR/ })
})

test('a file that is no BTF is named in the message', () => {
  assert.throws(() => btfOfFile(process.argv[1] ?? ''), { message: /^No BTF in \/.*btf-files\.test\.js: / })
})
