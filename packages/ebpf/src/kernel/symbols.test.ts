import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partlyInlined, isPartlyInlined } from './symbols.js'

test('functions of which a part has a symbol of its own', () => {
  const symbols = `ffffffffb8cd5950 t vfs_rmdir.part.0
ffffffffb8cd75b0 T vfs_rmdir
0000000000000000 t vfs_statfs.part.0.isra.0
ffffffffb9291481 t vfs_get_tree.cold
ffffffffb9291490 t tcp_close.constprop.0
ffffffffc0001000 t of_module.part.12	[some]
`
  assert.deepEqual([...partlyInlined(symbols)], ['vfs_rmdir', 'vfs_statfs', 'of_module'])
  assert.equal(isPartlyInlined('no_such_function'), false)
})
