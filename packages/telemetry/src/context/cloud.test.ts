import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readCloud } from './cloud.js'

const NONE = {
  cloudProvider: undefined,
  cloudRegion: undefined,
  cloudZone: undefined,
  cloudInstanceId: undefined,
}

test('readCloud() has what cloud-init found out, else what the firmware says, and guesses nothing', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'quark-cloud-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const firmware = join(folder, 'dmi')
  const instanceData = join(folder, 'instance-data.json')
  mkdirSync(firmware)
  assert.deepEqual(readCloud({ instanceData, firmware }), NONE)
  for (const [facts, expected] of [
    [{ sys_vendor: 'QEMU' }, {}],
    [
      { sys_vendor: 'Amazon EC2', board_asset_tag: 'i-0123456789abcdef0' },
      { cloudProvider: 'aws', cloudInstanceId: 'i-0123456789abcdef0' },
    ],
    [{ sys_vendor: 'Amazon EC2', board_asset_tag: 'Not Specified' }, { cloudProvider: 'aws' }],
    [{ sys_vendor: 'Google', product_name: 'Google Compute Engine' }, { cloudProvider: 'gcp' }],
    [{ sys_vendor: 'Google', product_name: 'Chromebook' }, {}],
    [{ sys_vendor: 'Microsoft Corporation', product_name: 'Virtual Machine', chassis_asset_tag: 'x' }, {}],
    [{ sys_vendor: 'constructor' }, {}],
  ] as const) {
    for (const name of ['sys_vendor', 'product_name', 'board_asset_tag', 'chassis_asset_tag'])
      writeFileSync(join(firmware, name), `${(facts as Record<string, string>)[name] ?? ''}\n`)
    assert.deepEqual(readCloud({ instanceData, firmware }), { ...NONE, ...expected }, JSON.stringify(facts))
  }
  for (const [text, expected] of [
    [
      '{"v1":{"cloud_name":"gce","region":"europe-west1","availability_zone":"europe-west1-b","instance_id":"42"}}',
      {
        cloudProvider: 'gcp',
        cloudRegion: 'europe-west1',
        cloudZone: 'europe-west1-b',
        cloudInstanceId: '42',
      },
    ],
    ['{"v1":{"cloud_name":"none","region":"x"}}', {}],
    ['{"v1":{"cloud_name":"__proto__"}}', {}],
    ['{"v1":{"cloud_name":"aws","region":7,"availability_zone":null}}', { cloudProvider: 'aws' }],
    ['{"v1":', {}],
    ['[]', {}],
  ] as const) {
    writeFileSync(instanceData, text)
    assert.deepEqual(readCloud({ instanceData, firmware }), { ...NONE, ...expected }, text)
  }
})
