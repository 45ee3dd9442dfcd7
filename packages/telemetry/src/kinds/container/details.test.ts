import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { clusterFrom, detailsFrom, imageNameOf, labelsOf, membersOf, podFrom } from './details.js'

const DIGEST = `sha256:${'a'.repeat(64)}`

const IMAGES: readonly [
  reference: string,
  image: string | undefined,
  tag?: string | undefined,
  digest?: string,
][] = [
  ['nginx', 'nginx'],
  ['nginx:1.27', 'nginx', '1.27'],
  ['registry:5000/team/web', 'registry:5000/team/web'],
  ['registry:5000/team/web:1.2', 'registry:5000/team/web', '1.2'],
  [`docker.io/library/nginx@${DIGEST}`, 'docker.io/library/nginx', undefined, DIGEST],
  [`docker.io/library/nginx:1@${DIGEST}`, 'docker.io/library/nginx', '1', DIGEST],
  [DIGEST, undefined],
  ['a'.repeat(64), undefined],
  ['nginx@sha256:short', 'nginx'],
]

for (const [reference, image, imageTag, imageDigest] of IMAGES) {
  test(`the image ${reference} is ${image}`, () => {
    assert.deepEqual(imageNameOf(reference), { image, imageTag, imageDigest })
  })
}

test('labels are bounded in number, length and size, and are texts', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`label${i}`, 'x'.repeat(1000)]))
  const kept = Object.entries(labelsOf(many) ?? {})
  assert.ok(kept.length > 10 && kept.length <= 64)
  assert.ok(kept.every(([, value]) => value.length === 256))
  assert.deepEqual(labelsOf({ a: 'b', c: 7, d: null, e: {} }), { a: 'b' })
  assert.equal(labelsOf(['a']), undefined)
})

test('whatever a recording says, what is taken from it has its types', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string(), (value, id) => {
      for (const members of [
        membersOf(value),
        { ...membersOf(value), id, uid: id, labels: value, ips: value },
      ]) {
        const details = detailsFrom(members)
        const pod = podFrom(members)
        for (const text of [details?.name, details?.image, pod?.name, clusterFrom(members).name]) {
          assert.ok(text === undefined || typeof text === 'string')
        }
        for (const label of Object.values(details?.labels ?? {})) assert.equal(typeof label, 'string')
      }
    }),
  )
})
