import type { OptionSpecs, SettingsOf } from '../../options/spec.js'

/** Options about modules of the kernel. */
export const moduleOptions = {
  /** Also modules that are loaded into the kernel and unloaded. Default false. */
  modules: {
    type: 'flag',
    default: false,
    isKindSwitch: true,
    command: [
      {
        group: 'watch',
        long: 'modules',
        short: 'L',
        help: 'also show kernel modules that are loaded and unloaded',
      },
      {
        group: 'watch',
        long: 'module-load',
        help: 'the same as --modules',
        more: 'The same as --modules, for scripts that were written for the quark-mon in C.',
      },
    ],
  },
} as const satisfies OptionSpecs

/** The options about modules with every default filled in. */
export type ModuleSettings = SettingsOf<typeof moduleOptions>
