import assert from 'node:assert/strict'
import test from 'node:test'
import type { QuarkEvent } from 'quark-telemetry'
import { execOf } from './testing/fakes.js'
import { Tree } from './tree.js'

function forkOf(pid: number, ppid: number, creatorPid?: number): QuarkEvent {
  return { ...execOf({ pid, ppid, creatorPid }), actions: ['fork', 'exec'] }
}

test('depthOf() counts the ancestors that were shown', () => {
  const tree = new Tree()
  const depths = [
    forkOf(10, 1),
    forkOf(11, 10),
    forkOf(12, 11),
    forkOf(13, 10),
    execOf({ pid: 12, ppid: 11 }),
  ].map((event) => tree.depthOf(event))
  assert.deepEqual(depths, [0, 1, 2, 1, 2])
})

test('a process whose parent has ended stays under it', () => {
  const tree = new Tree()
  tree.depthOf(forkOf(10, 1))
  tree.depthOf(forkOf(11, 10))
  // Its parent is another one now, but 11 made it.
  assert.equal(tree.depthOf(forkOf(12, 1, 11)), 2)
  // What it does later does not move it.
  assert.equal(tree.depthOf(execOf({ pid: 11, ppid: 1 })), 1)
})

test('a pid that is used again begins anew', () => {
  const tree = new Tree()
  tree.depthOf(forkOf(10, 1))
  tree.depthOf(forkOf(11, 10))
  assert.equal(tree.depthOf(forkOf(11, 1)), 0)
  // Its own parent, as a container has it.
  assert.equal(tree.depthOf(execOf({ pid: 5, ppid: 5 })), 0)
})

test('an event without a process is at the edge', () => {
  const lost = { kind: 'lost', timeNs: 1n, cause: 'ringFull', count: 1, cpu: 0, process: undefined }
  assert.equal(new Tree().depthOf(lost as unknown as QuarkEvent), 0)
})

test('a tree remembers a bounded number of processes', () => {
  const tree = new Tree()
  for (let pid = 1; pid <= 70_000; pid++) tree.depthOf(forkOf(pid, pid - 1))
  assert.equal(tree.depthOf(forkOf(70_001, 70_000)), 70_000)
  // The first ones are forgotten.
  assert.equal(tree.depthOf(forkOf(70_002, 1)), 0)
})
