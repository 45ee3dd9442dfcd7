/**
 * The walls of the house: which rooms (folders) of a package may import which others. ARCHITECTURE.md shows the same as
 * a map. `is` says what belongs into a room, for the message of a breach. A file of a package's `src` folder itself is
 * a room of its own, named `./`: only what is listed there may lie outside of rooms.
 */

/** Everything may be imported: the room puts the others together. */
const all = ['*']

/** @type {Readonly<Record<string, Readonly<Record<string, Room>>>>} */
export const packages = {
  ebpf: {
    './': { is: 'the public entry', may: all },
    errors: { is: 'errors that need no system', may: [] },
    asm: { is: 'instructions, labels and their bytes', may: ['errors'] },
    btf: { is: 'types of a kernel, read from bytes', may: ['errors'] },
    probe: { is: 'declarations of probes, and the programs made of them', may: ['errors', 'asm', 'btf'] },
    sys: { is: 'system calls', may: ['errors'], packages: ['node:*', 'koffi'] },
    map: { is: 'maps', may: ['errors', 'sys', 'probe'], packages: ['node:*'] },
    program: { is: 'loaded programs', may: ['errors', 'sys'], packages: ['node:*'] },
    ring: { is: 'readers of rings that programs write to', may: ['errors', 'sys', 'map', 'probe'] },
    perf: { is: 'readers of perf rings', may: ['errors', 'sys'], packages: ['node:*'] },
    attach: { is: 'ways to attach a program', may: ['errors', 'sys', 'program'], packages: ['node:*'] },
    netlink: { is: 'messages of netlink sockets', may: ['errors', 'sys', 'attach'], packages: ['node:*'] },
    fanotify: { is: 'what happens to files, by fanotify', may: ['errors', 'sys'], packages: ['node:*'] },
    kernel: {
      is: 'what the running kernel can do',
      may: ['errors', 'sys', 'btf', 'map', 'program', 'attach'],
      packages: ['node:*'],
    },
    session: {
      is: 'probes that run together',
      may: ['errors', 'sys', 'asm', 'btf', 'probe', 'map', 'program', 'ring', 'attach', 'kernel'],
      packages: ['node:*'],
    },
  },
  telemetry: {
    './': {
      is: 'the public entry, and the class that puts the rooms together',
      may: all,
      packages: ['node:*', 'quark-ebpf'],
    },
    errors: { is: 'errors', may: [] },
    memory: { is: 'bytes, text and tables of numbers', may: ['errors'], packages: ['quark-ebpf/probe'] },
    event: {
      is: 'what records and events are, whatever their kind',
      may: ['errors', 'memory'],
      packages: ['quark-ebpf/probe'],
    },
    options: {
      is: 'how options are declared and checked',
      may: ['errors', 'event', 'aggregate'],
      packages: ['node:*'],
    },
    names: {
      is: 'names of addresses and sockets, and packets: how they are read, and probes of them',
      may: ['errors', 'event'],
      packages: ['quark-ebpf/probe'],
    },
    facts: {
      is: 'what kinds want to learn, and the ways to learn it',
      may: ['errors'],
      packages: ['quark-ebpf'],
    },
    files: {
      is: 'which files are meant: paths, mounts, devices',
      may: ['memory', 'event'],
      packages: ['node:*'],
    },
    order: {
      is: 'records in order of time',
      may: ['errors', 'memory', 'event'],
      packages: ['quark-ebpf/probe'],
    },
    aggregate: {
      is: 'which records make one event',
      may: ['errors', 'memory', 'event'],
      packages: ['quark-ebpf/probe'],
    },
    process: {
      is: 'the table of processes, and /proc',
      may: ['errors', 'memory', 'event', 'files'],
      packages: ['node:*', 'quark-ebpf'],
    },
    kinds: {
      is: 'what a kind is, and the list of kinds',
      may: [
        'errors',
        'memory',
        'event',
        'facts',
        'options',
        'aggregate',
        'process',
        'names',
        'kinds/kind',
        'kinds/catalogue',
        'kinds/*',
      ],
      packages: ['quark-ebpf'],
    },
    'kinds/kind': {
      is: 'what a kind is',
      may: ['errors', 'memory', 'event', 'facts', 'options', 'aggregate', 'process', 'names'],
      packages: ['quark-ebpf/probe'],
    },
    'kinds/catalogue': {
      is: 'what all kinds together have',
      may: ['errors', 'event', 'options', 'aggregate', 'where', 'rules', 'kinds/kind'],
    },
    'kinds/*': {
      is: 'one kind of event',
      may: [
        'errors',
        'memory',
        'event',
        'facts',
        'files',
        'options',
        'aggregate',
        'process',
        'names',
        'kinds/kind',
      ],
      packages: ['node:*', 'quark-ebpf', 'dns-packet', 'yaml'],
    },
    where: {
      is: 'filters: which events are delivered',
      may: ['errors', 'event', 'options', 'process'],
    },
    rules: {
      is: 'the language of rules: parsed, checked, asked',
      may: ['errors', 'event', 'options', 'process', 'where'],
    },
    report: {
      is: 'what one command did',
      may: ['errors', 'event', 'process', 'output'],
    },
    redact: {
      is: 'secrets, and what is shown in their place',
      may: ['errors', 'event', 'memory'],
      packages: ['node:*', 're2js', 'quark-ebpf/probe'],
    },
    btf: { is: 'types of kernels without BTF', may: ['errors'], packages: ['node:*', 'quark-ebpf'] },
    backend: {
      is: 'where records come from: transport, whatever they hold',
      may: ['errors', 'memory', 'event', 'facts', 'options', 'process', 'btf'],
      packages: ['node:*', 'quark-ebpf'],
    },
    context: {
      is: 'what is added to events: users, host',
      may: ['errors', 'event'],
      packages: ['node:*', 'quark-ebpf'],
    },
    // Names of signals and errors are in tables of Node.
    output: { is: 'one assembler per format', may: ['errors', 'memory', 'event'], packages: ['node:os'] },
    pipeline: {
      is: 'the way of a record to an event',
      may: [
        'errors',
        'memory',
        'event',
        'facts',
        'options',
        'order',
        'aggregate',
        'process',
        'kinds/kind',
        'kinds/catalogue',
        'backend',
        'context',
        'recording',
      ],
      packages: ['node:*', 'quark-ebpf'],
    },
    recording: {
      is: 'recordings, written and read',
      may: ['errors', 'memory', 'event', 'facts', 'options', 'kinds/kind', 'kinds/catalogue'],
      packages: ['node:*', 'quark-ebpf'],
    },
    doctor: {
      is: 'what this machine allows',
      may: ['errors', 'event', 'facts', 'options', 'btf', 'backend', 'process'],
      packages: ['node:*', 'quark-ebpf'],
    },
    summary: {
      is: 'what many events have in common',
      may: ['errors', 'memory', 'event', 'output'],
    },
    self: {
      is: 'what the library does to its own process',
      may: ['errors'],
      packages: ['node:*', 'quark-ebpf'],
    },
  },
  mon: {
    './': { is: 'the command', may: all, packages: ['node:*', 'prom-client', 'quark-telemetry'] },
  },
}
