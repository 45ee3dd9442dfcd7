/** What is watched, out of the options. */

import type { FileSettings } from './options.js'
import { Selection } from '../../files/selection.js'

/** What is watched. */
export interface Choice {
  readonly selection: Selection
  readonly hasNames: boolean
  readonly hasContent: boolean
  readonly hasAttributes: boolean
  /** Undefined for all. */
  readonly uids: readonly number[] | undefined
}

export function choiceOf({ files, fileOperations, fileUids }: FileSettings): Choice {
  return {
    selection: new Selection(files),
    hasNames: fileOperations.includes('names'),
    hasContent: fileOperations.includes('content'),
    hasAttributes: fileOperations.includes('attributes'),
    uids: fileUids,
  }
}
