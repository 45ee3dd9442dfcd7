/** Layout of getpid records. */

import { record } from 'quark-ebpf/probe'
import { actorFields } from '../../process/actor.js'

/** High byte of the types of records: unique among kinds, and part of the recording format. */
export const GETPID_KIND = 16

/** getpid(2) was called. */
export const getpidLayout = record((GETPID_KIND << 8) | 1, 'getpid', actorFields)
