import { Quark } from '../../quark.js'
import { kprobeTest } from '../../testing/kprobe-test.js'
import { runScenario } from '../../testing/scenario.js'

/** Longer than fetch arguments reach: known whole only while the process is there to be asked, else cut. */
const BEYOND = /^(tiny-args|huge-args|deep-cwd) /

kprobeTest('every process of the scenario appears once, with what is true of it', async () => {
  await runScenario(
    (options) => Quark.open({ ...options, backends: ['kprobe'] }),
    (complaint) => BEYOND.test(complaint),
  )
})
