// Writes the public surface of each package to api/*.api.md, or, with --check, fails when it changed.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor'

const check = process.argv.includes('--check')
const entries = [
  ['ebpf', 'index', 'ebpf'],
  ['ebpf', 'asm/index', 'ebpf.asm'],
  ['ebpf', 'btf/index', 'ebpf.btf'],
  ['ebpf', 'probe/index', 'ebpf.probe'],
  ['telemetry', 'index', 'telemetry'],
  ['telemetry', 'assertions', 'telemetry.testing'],
]

let changed = 0
mkdirSync('api', { recursive: true })
for (const [folder, entry, report] of entries) {
  const project = resolve('packages', folder)
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: resolve(project, 'package.json'),
    configObject: {
      projectFolder: project,
      mainEntryPointFilePath: resolve(project, `dist/${entry}.d.ts`),
      newlineKind: 'lf',
      apiReport: {
        enabled: true,
        reportFileName: `${report}.api.md`,
        reportFolder: resolve('api'),
        reportTempFolder: resolve('node_modules/.cache/api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      compiler: { tsconfigFilePath: resolve(project, 'tsconfig.json') },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'none' } },
        extractorMessageReporting: { default: { logLevel: 'none' } },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  })
  const result = Extractor.invoke(config, {
    localBuild: !check,
    showVerboseMessages: false,
    messageCallback: (message) => {
      message.handled = message.logLevel !== 'error'
    },
  })
  if (result.apiReportChanged) {
    changed += 1
    console.log(`${check ? 'Differs' : 'Wrote'}: api/${report}.api.md`)
  }
}
if (check && changed > 0) {
  console.error('The public API changed: run `npm run api` and look at the diff of api/')
  process.exitCode = 1
}
