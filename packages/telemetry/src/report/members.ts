/** The members of the JSON of a report. */

import { ACTIVITIES, type ActivityType } from '../event/activity-spec.js'
import type { NewBehaviour } from './baseline.js'
import type { Member, Members, ObjectDeclaration } from './declare.js'
import type {
  LeftOut,
  ReportedActivity,
  ReportedActor,
  ReportedExecutable,
  ReportedProcess,
  ReportedStep,
  RunReport,
} from './report.js'

const PROCESS: ObjectDeclaration<ReportedProcess> = {
  name: 'process',
  doc: 'A process',
  members: {
    pid: { doc: 'Id of the process', type: 'count' },
    command: { doc: 'Its last command, as one could paste it into a shell, maybe cut', type: 'string' },
    exe: { doc: 'Path of its last program', type: 'string', isOptional: true },
    begin: { doc: 'When it began, after the first process', type: 'seconds' },
    seconds: { doc: 'How long it ran; absent while it runs', type: 'seconds', isOptional: true },
    cpuSeconds: {
      doc: 'CPU time in user space and in the kernel; absent while it runs',
      type: 'seconds',
      isOptional: true,
    },
    exitCode: { doc: 'Status that it ended with', type: 'count', isOptional: true },
    exitSignal: { doc: 'Number of the signal that ended it', type: 'count', isOptional: true },
    step: { doc: 'Name of the step that it belongs to', type: 'string' },
    children: {
      doc: 'The processes that it created',
      type: 'list',
      of: () => PROCESS,
      isOptional: true,
    },
  },
}

const ACTOR: ObjectDeclaration<ReportedActor> = {
  name: 'actor',
  doc: 'Who did something',
  members: {
    pid: { doc: 'Id of the process', type: 'count' },
    command: { doc: 'Its command, maybe cut', type: 'string' },
    step: { doc: 'Name of its step', type: 'string' },
  },
}

const ACTIVITY: ObjectDeclaration<ReportedActivity> = {
  name: 'activity',
  doc: 'Something that was done, by however many processes',
  members: {
    target: { doc: 'With or to what: a host and port, a name, a path', type: 'string' },
    details: {
      doc: 'What is not the same each time, the first few of it: addresses of a name, former names of a file',
      type: 'strings',
      isOptional: true,
    },
    count: { doc: 'How often', type: 'count' },
    failed: { doc: 'How often of that it failed; absent if never', type: 'count', isOptional: true },
    sentBytes: { doc: 'Bytes sent, if any', type: 'count', isOptional: true },
    receivedBytes: { doc: 'Bytes received, if any', type: 'count', isOptional: true },
    steps: { doc: 'Names of the steps whose processes did it', type: 'strings' },
    by: { doc: 'The first few of the processes', type: 'list', of: () => ACTOR },
  },
}

const EXECUTABLE: ObjectDeclaration<ReportedExecutable> = {
  name: 'executable',
  doc: 'A program that was executed',
  members: {
    path: { doc: 'Its path', type: 'string' },
    count: { doc: 'How often', type: 'count' },
    steps: { doc: 'Names of the steps that executed it', type: 'strings' },
  },
}

const STEP: ObjectDeclaration<ReportedStep> = {
  name: 'step',
  doc: 'A script of a package, or another part of the command',
  members: {
    name: {
      doc: 'Package and script; of a part of the command, the name of its program',
      type: 'string',
    },
    package: { doc: 'Name of the package', type: 'string', isOptional: true },
    version: { doc: 'Version of the package', type: 'string', isOptional: true },
    script: { doc: 'Name of the script, such as `postinstall`', type: 'string', isOptional: true },
    processes: { doc: 'How many processes belong to it', type: 'count' },
    failed: { doc: 'How many of them did not end with 0', type: 'count' },
    seconds: { doc: 'From the begin of the first to the end of the last', type: 'seconds' },
  },
}

const PROCESSES: ObjectDeclaration<RunReport['processes']> = {
  name: 'processes',
  doc: 'How many processes there were',
  members: {
    created: {
      doc: 'As the kernel has counted them; absent if it did not',
      type: 'count',
      isOptional: true,
    },
    seen: { doc: 'Of which the begin was seen', type: 'count' },
    failed: { doc: 'That did not end with 0', type: 'count' },
  },
}

const NEW_BEHAVIOUR: ObjectDeclaration<NewBehaviour> = {
  name: 'newBehaviour',
  doc: 'Something that a step did and that is not in the baseline',
  members: {
    step: { doc: 'Name of the step', type: 'string' },
    isNewStep: { doc: 'The step itself is new', type: 'boolean' },
    what: {
      doc: 'The list of the baseline that it would be in',
      type: 'word',
      words: ['executables', 'hosts', 'paths'],
    },
    value: { doc: 'What would be in that list', type: 'string' },
  },
}

type Lists<K extends string, V> = { readonly [Key in K]: V }

const TYPES = Object.entries(ACTIVITIES) as readonly [ActivityType, string][]

const ACTIVITY_LISTS: ObjectDeclaration<RunReport['activities']> = {
  name: 'activities',
  doc: 'What was done, by type; a type of which there is nothing is absent',
  members: Object.fromEntries(
    TYPES.map(([type, title]): [string, Member<readonly ReportedActivity[]> & { isOptional: true }] => [
      type,
      { doc: title, type: 'list', of: () => ACTIVITY, isOptional: true },
    ]),
  ) as Lists<ActivityType, never>,
}

const LEFT_OUT: ObjectDeclaration<LeftOut> = {
  name: 'leftOut',
  doc: 'How many more of each list there are than it has; they were seen and count everywhere else',
  members: Object.fromEntries(
    ['tree', 'running', 'steps', 'executables', ...TYPES.map(([type]) => type)].map((list) => [
      list,
      { doc: `More of \`${list}\``, type: 'count', isOptional: true },
    ]),
  ) as unknown as Members<LeftOut>,
}

/** The whole report. */
export const REPORT: ObjectDeclaration<RunReport> = {
  name: 'report',
  doc: 'What one command did: quark-mon run --report-format=json',
  members: {
    kind: { doc: 'What it is', type: 'word', words: ['report'] },
    version: { doc: 'Of this format', type: 'constant', value: 1 },
    command: {
      doc: 'Name and arguments of the command; absent for a recording',
      type: 'strings',
      isOptional: true,
    },
    cwd: { doc: 'Its working directory; absent for a recording', type: 'string', isOptional: true },
    seconds: { doc: 'From the first event to the last', type: 'seconds' },
    exitCode: { doc: 'Status of the command', type: 'count', isOptional: true },
    exitSignal: { doc: 'Number of the signal that ended the command', type: 'count', isOptional: true },
    processes: { doc: 'How many processes there were', type: 'object', of: () => PROCESSES },
    isComplete: { doc: 'All that the command did is in the report, or counted in it', type: 'boolean' },
    missing: { doc: 'Why it may not be complete: sentences without a period', type: 'strings' },
    limits: {
      doc: 'What cannot be seen on this machine, whatever happens: sentences without a period',
      type: 'strings',
    },
    newBehaviour: {
      doc: 'What is not in the baseline; absent without one, or if there is nothing',
      type: 'list',
      of: () => NEW_BEHAVIOUR,
      isOptional: true,
    },
    running: {
      doc: 'Processes that still ran at the end, without their children',
      type: 'list',
      of: () => PROCESS,
    },
    slowestPath: {
      doc: 'The longest process, the longest of those that it created, and so on',
      type: 'list',
      of: () => PROCESS,
    },
    tree: { doc: 'The processes, each with those that it created', type: 'list', of: () => PROCESS },
    steps: { doc: 'Scripts of packages, and other parts of the command', type: 'list', of: () => STEP },
    executables: { doc: 'Programs that were executed', type: 'list', of: () => EXECUTABLE },
    filesInside: {
      doc: 'How many files below the working directory were created, changed or removed; they are not listed',
      type: 'count',
    },
    filesTemporary: {
      doc: 'How many files were created and removed again; they are not listed',
      type: 'count',
    },
    activities: { doc: 'What was done, by type', type: 'object', of: () => ACTIVITY_LISTS },
    leftOut: { doc: 'Of what there is more than is listed', type: 'object', of: () => LEFT_OUT },
  },
}
