/** A program that calls getpid(2) some times. */

import { rawCall, report } from '../../../testing/raw-calls.js'

const CALLS = 5
for (let call = 0; call < CALLS; call += 1) rawCall('getpid')
report({ calls: CALLS })
