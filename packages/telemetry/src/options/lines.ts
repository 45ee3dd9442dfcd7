/** The options of lines of output. */

import type { OptionsOf, OptionSpecs } from './spec.js'

const KIB = 1024

export const lineOptions = {
  /**
   * Most bytes of UTF-8 that the line of an event has, without its line end; of text, all lines of the event together.
   * Of a longer one the longest values are cut.
   */
  maxLineBytes: {
    type: 'bytes',
    default: 256 * KIB,
    min: 16 * KIB,
    max: 256 * KIB * KIB,
    command: {
      group: 'output',
      long: 'max-line',
      argument: 'SIZE',
      help: 'cut the longest values of an event that has more bytes of output',
      more: 'Such an event says that it is cut, and at the end their number is written.',
    },
  },
} as const satisfies OptionSpecs

/** Options of lines, as a caller gives them. */
export type LineOptions = OptionsOf<typeof lineOptions>

export const ecsOptions = {
  ...lineOptions,
  /**
   * Lean documents leave out what is as usual, and have of the host and of related processes what identifies them; full ones have
   * all that is known. Default `lean`.
   */
  form: {
    type: 'choice',
    default: 'lean',
    words: ['lean', 'full'],
    command: {
      group: 'output',
      long: 'ecs-form',
      argument: 'FORM',
      help: 'write ECS documents that are lean or full; implies --ecs',
      more: 'Full ones are about three times as long: they have all facts of the host, of capabilities and of related processes.',
      conflicts: ['text', 'tree', 'dump', 'json'],
    },
  },
} as const satisfies OptionSpecs

/** Options of ECS documents, as a caller gives them. */
export type EcsOptions = OptionsOf<typeof ecsOptions>
