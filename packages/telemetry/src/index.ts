/** Process telemetry for Linux: every process, from fork to exit. */

export { type AggregationRow, AggregationTable } from './aggregate/table.js'
export {
  type KnownKernel,
  listKnownTargets,
  listTargets,
  offsetTableOf,
  type TargetListing,
} from './btf/listing.js'
export { BTF_TARGETS, type BtfTarget, missingTargets, type ResolvedTarget } from './btf/targets.js'
export { examine, type ExamineOptions } from './examine.js'
export {
  type BackendTrial,
  type Examination,
  type Finding,
  type Topic,
  TOPICS,
  type Verdict,
} from './doctor/examination.js'
export type { Host } from './context/host.js'
export {
  BackendError,
  type BackendFailure,
  OptionError,
  QuarkError,
  type QuarkErrorCode,
  RecordingError,
} from './errors.js'
export type { Forms, Plain, Writable } from './event/forms.js'
export type { BaseEvent, LostCause, LostEvent } from './event/event.js'
export type {
  ExecFailedEvent,
  IdChange,
  ProcessAction,
  ProcessEvent,
  SnapshotEvent,
  ThreadEvent,
} from './kinds/process/events.js'
export type { Ids, Killer, Process, ProcessUsage } from './process/process.js'
export type { HeldSocket } from './kinds/socket/process-sockets.js'
export type { Socket, SocketEnds, SocketState, Transport } from './kinds/socket/socket.js'
export type { Relatives } from './process/relatives.js'
export type { Join, JoinPredicate, RawRecord } from './event/join.js'
export { RawEvent } from './event/raw-event.js'
export { defaultAggregation, minimalAggregation, noAggregation } from './kinds/index.js'
export { FACT_LABELS, LIMITS, OPTIONS, QUEUES } from './kinds/index.js'
export type { ProcessLists, QuarkEvent, QuarkOptions, ReplayOptions } from './kinds/index.js'
export type { TableLimit } from './kinds/catalogue.js'
export type { LimitCounter, RecordQueue } from './kinds/kind.js'
export type { OneOrMore, Where } from './where/predicates.js'
export { CommandReport } from './command-report.js'
export { trace, type TraceOptions, type TraceResult } from './trace.js'
export {
  type Baseline,
  type BaselineStep,
  baselineText,
  mergedBaseline,
  type NewBehaviour,
  newIn,
  parseBaseline,
  type Places,
} from './report/baseline.js'
export type {
  LeftOut,
  ReportedActivity,
  ReportedActor,
  ReportedExecutable,
  ReportedProcess,
  ReportedStep,
  RunFacts,
  RunReport,
} from './report/report.js'
export { reportMarkdown, reportText } from './report/text.js'
export type { Timeline } from './report/timeline.js'
export { ACTIVITIES, type Activity, type ActivityType } from './event/activity-spec.js'
export { RULE_FIELDS, rulesOf, testRules } from './rule-sets.js'
export type { RuleTestResult } from './rules/test-rules.js'
export type { Subject } from './rules/fields.js'
export { type RuleCounter, RuleError, type RuleParts, RuleSet, type RuleVerdict } from './rules/rule-set.js'
export type { RuleField, RuleFieldType } from './rules/fields.js'
export type { RuleProblem } from './rules/lex.js'
export type { RuleExplanation } from './rules/explain.js'
export { releaseMemory } from './self/memory.js'
export type { EcsOptions, LineOptions } from './options/lines.js'
export { BACKEND_NAMES, type BackendName, DEFAULT_BACKENDS } from './options/declare.js'
export type {
  ChoiceSpec,
  CommandForm,
  CommandGroup,
  FlagSpec,
  InstanceSpec,
  ListSpec,
  MembersSpec,
  MemberSpec,
  NumberSpec,
  NumbersSpec,
  ObjectOfClass,
  OptionSpec,
  OptionSpecs,
  PathSpec,
  SpecBase,
} from './options/spec.js'
export type { GraphOrder } from './output/dot.js'
export { type EcsContext, ECS_VERSION } from './output/ecs.js'
export type { EcsHost } from './output/ecs-host.js'
export { sanitise } from './output/sanitise.js'
export type { DumpOptions } from './output/dump.js'
export type { MachineNames, Names } from './output/line.js'
export type { TextContext, TextOptions } from './output/text.js'
export type { LineWriter } from './output/writer.js'
export {
  bufferGraph,
  createEcs,
  createJson,
  createText,
  createDump,
  jsonOf,
  ECS_OPTIONS,
  LINE_OPTIONS,
  processGraph,
  textHeading,
  textOf,
  dumpOf,
} from './outputs.js'
export type { BufferedRecord } from './pipeline/pipeline.js'
export { type Account, accountNamed, accountOf, dieOf, exitNow, groupsOf } from 'quark-ebpf'
export { isOpenedHere } from './self/descriptors.js'
export { dropPrivileges } from './drop.js'
export type { ReportContext, SummaryHead, SummaryOptions } from './summary/collector.js'
export type { LostSummary } from './event/own-specs.js'
export type { KindsReport } from './kinds/index.js'
export type {
  CommandSum,
  ExecFailedSummary,
  ProcessRow,
  ProcessSummary,
  UserSum,
} from './kinds/process/summary.js'
export type { DnsSummary, LookupRow } from './kinds/dns/summary.js'
export type {
  ConnectionSummary,
  FlowSummary,
  ListenerRow,
  ListenerSummary,
  PeerRow,
  RawSocketSummary,
} from './kinds/socket/summary.js'
export { type SummarisedEvent, Summary, summaryEcs, type SummaryReport, summaryText } from './summaries.js'
export { bytesText, durationText } from './output/amounts.js'
export type { SummaryTextOptions } from './summary/text.js'
export { countText } from './output/amounts.js'
export { Quark } from './quark.js'
export type { EndEvent, StartEvent } from './stream.js'
export type { AttachedFact, Capabilities, MissingFact, QuarkStats } from './pipeline/stats.js'
