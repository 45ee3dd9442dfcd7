import { createEcs, jsonOf, type Quark, type QuarkEvent, textOf } from 'quark-telemetry'
import type { Settings } from './settings.js'

/** Names and facts of the machine that an output may look up. */
export type Lookup = Pick<Quark, 'userName' | 'groupName' | 'host'>

/** The text of one event as the settings want it, with its line end. */
export function formatter(settings: Settings, quark: Lookup, colour: boolean): (event: QuarkEvent) => string {
  if (settings.quark.bypass === true) return () => '*'
  switch (settings.format) {
    case 'text':
      return (event) => `${textOf(event, { colour })}\n`
    case 'json':
      return (event) => `${jsonOf(event)}\n`
    case 'ecs': {
      const ecsOf = createEcs({
        host: quark.host,
        userName: (uid) => quark.userName(uid),
        groupName: (gid) => quark.groupName(gid),
      })
      return (event) => `${ecsOf(event)}\n`
    }
  }
}
