import type { Kind, RecordType } from '../kind.js'
import { applyExecuted, applyOpened, joinExecuted, joinOpened } from './apply.js'
import { execChangeEvents } from './events.js'
import { execChangeFacts } from './facts.js'
import { execChangeOptions } from './options.js'
import { EXEC_CHANGE_KIND, execChangeLayout, scriptOpenLayout } from './records.js'

const records = [
  {
    name: 'execChange',
    layout: execChangeLayout,
    chain: 'process',
    apply: applyExecuted,
    applyJoined: joinExecuted,
    colour: 'peachpuff',
  },
  {
    name: 'scriptOpen',
    column: 'execChange',
    layout: scriptOpenLayout,
    chain: 'process',
    apply: applyOpened,
    applyJoined: joinOpened,
    colour: 'peachpuff',
  },
] satisfies RecordType[]

/** Programs and scripts that are executed by the session or tree that wrote them. */
export const execChangeKind: Kind<typeof execChangeOptions, typeof execChangeEvents> = {
  name: 'execChange',
  number: EXEC_CHANGE_KIND,
  ringShare: 0.25,
  options: execChangeOptions,
  facts: execChangeFacts,
  records,
  joins: {
    default: [
      ['fork', 'execChange', 'always'],
      ['exec', 'execChange', 'always'],
    ],
    minimal: [],
  },
  factLabels: { execChanges: 'who wrote what is executed' },
  events: execChangeEvents,
}
