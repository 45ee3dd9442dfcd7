import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FEATURE_NAMES, probeFeature } from './features.js'
import { expectNoLeaks } from '../testing/descriptors.js'
import { excuseFor, kernelTest } from '../testing/kernel-test.js'

expectNoLeaks()

for (const feature of FEATURE_NAMES) {
  const { minKernel } = probeFeature(feature)
  test(`${feature} is there from Linux ${minKernel} on`, (t) => {
    const result = probeFeature(feature)
    const excuse = excuseFor(result)
    assert.ok(excuse !== undefined, result.reason)
    if (!result.supported) {
      t.diagnostic(`not supported here: ${excuse}`)
    }
  })
}

kernelTest('a feature is tried once', '4.18', () => {
  assert.equal(probeFeature('ringbuf'), probeFeature('ringbuf'))
})
