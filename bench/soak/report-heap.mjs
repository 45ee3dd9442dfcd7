/** Loaded into a watched process before its program: writes its heap to descriptor 3, a line every second. */
import { writeSync } from 'node:fs'

const REPORTS = 3
const PERIOD_MS = 1000

const timer = setInterval(() => {
  try {
    writeSync(REPORTS, `${process.memoryUsage().heapUsed}\n`)
  } catch {
    // Nobody reads them any more.
    clearInterval(timer)
  }
}, PERIOD_MS)
timer.unref()
