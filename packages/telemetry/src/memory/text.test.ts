import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TAIL_PSEUDO, TAIL_TRUNCATED } from 'quark-ebpf/probe'
import * as fc from 'fast-check'
import { decodeUtf8, pathAt, rootAt, stringsAt, u32At, u64At } from './text.js'

test('pathAt() and rootAt() turn components around', async (t) => {
  // oxfmt-ignore
  const cases = [
    { name: 'in the root',           components: 'ls\0bin\0\0',             flags: 0,              path: '/bin/ls',     root: '/' },
    { name: 'the root itself',       components: '\0',                      flags: 0,              path: '/',           root: '/' },
    { name: 'in a chroot',           components: 'ls\0bin\0\0jail\0srv\0',  flags: 0,              path: '/bin/ls',     root: '/srv/jail' },
    { name: 'the root of a chroot',  components: '\0jail\0srv\0',           flags: 0,              path: '/',           root: '/srv/jail' },
    { name: 'outside of the chroot', components: 'ls\0bin\0',               flags: 0,              path: '/bin/ls',     root: undefined },
    { name: 'without a place',       components: 'memfd:x\0',               flags: TAIL_PSEUDO,    path: 'memfd:x',     root: undefined },
    { name: 'cut',                   components: 'c\0b\0',                  flags: TAIL_TRUNCATED, path: '.../b/c',     root: undefined },
    { name: 'cut through a name',    components: 'c\0b\0aa',                flags: TAIL_TRUNCATED, path: '.../b/c',     root: undefined },
    { name: 'cut through the last',  components: 'cc',                      flags: TAIL_TRUNCATED, path: undefined,     root: undefined },
    { name: 'cut behind the mark',   components: 'c\0b\0\0a\0',             flags: TAIL_TRUNCATED, path: '/b/c',        root: undefined },
    { name: 'UTF-8',                 components: 'caf\xc3\xa9\0\0',         flags: 0,              path: '/café',       root: '/' },
    { name: 'not UTF-8',             components: 'caf\xe9\0\0',             flags: 0,              path: '/caf\ufffd',  root: '/' },
    { name: 'empty',                 components: '',                        flags: 0,              path: '/',           root: undefined },
  ]
  for (const { name, components, flags, path, root } of cases) {
    await t.test(name, () => {
      const text = `junk${components}junk`
      const descriptor = components.length | flags
      assert.deepEqual([pathAt(text, 4, descriptor), rootAt(text, 4, descriptor)], [path, root])
    })
  }
})

test('stringsAt() keeps empty strings and drops the last terminator', async (t) => {
  // oxfmt-ignore
  const cases: [text: string, strings: string[]][] = [
    ['', []],
    ['a\0', ['a']],
    ['\0', ['']],
    ['a\0\0b\0', ['a', '', 'b']],
    ['a\0\0', ['a', '']],
    ['a\0b', ['a', 'b']],
    ['\xc3\xa9\0\xff\0', ['é', '\ufffd']],
  ]
  for (const [text, strings] of cases) {
    await t.test(JSON.stringify(text), () => {
      assert.deepEqual(stringsAt(`xx${text}yy`, 2, text.length), strings)
    })
  }
})

test('decodeUtf8() does as TextDecoder does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      assert.equal(decodeUtf8(Buffer.from(bytes).toString('latin1')), Buffer.from(bytes).toString('utf8'))
    }),
  )
})

test('numbers in text are those of the bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(8), (bytes, at) => {
      const buffer = Buffer.from(bytes)
      const text = buffer.toString('latin1')
      assert.equal(u32At(text, at), buffer.readUInt32LE(at))
      assert.equal(u64At(text, at), buffer.readBigUInt64LE(at))
    }),
  )
})
