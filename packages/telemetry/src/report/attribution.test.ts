import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packageOf } from './attribution.js'

const OF_DEP = ['npm_package_name=dep', 'npm_package_version=1.2.3', 'npm_lifecycle_event=postinstall']
const OF_APP = ['npm_package_name=app', 'npm_package_version=1.0.0']
const DEP = { name: 'dep postinstall', package: 'dep', version: '1.2.3', script: 'postinstall' }

/** What each sets beside that, as of the version that is named. */
const MANAGERS = {
  'npm 11.19.1': [
    'INIT_CWD=/w/app',
    'npm_command=install',
    'npm_config_user_agent=npm/11.19.1 node/v20.20.2 linux x64 workspaces/false',
    'npm_execpath=/usr/lib/node_modules/npm/bin/npm-cli.js',
    'npm_lifecycle_script=node install.js',
    'npm_package_json=/w/app/node_modules/dep/package.json',
  ],
  'pnpm 12.21.0': [
    'INIT_CWD=/w/app',
    'npm_command=install',
    'npm_config_user_agent=pnpm/12.21.0 npm/? node/? linux x64',
    'npm_execpath=/w/node_modules/@pnpm/exe.linux-x64/pnpm',
    'npm_lifecycle_script=node install.js',
    'npm_package_json=/w/app/node_modules/dep/package.json',
  ],
  // It has no npm_command, and all scripts of the package.
  'yarn 1.22.22': [
    'INIT_CWD=/w/app',
    'npm_config_user_agent=yarn/1.22.22 npm/? node/v20.20.2 linux x64',
    'npm_execpath=/w/node_modules/yarn/bin/yarn.js',
    'npm_lifecycle_script=node install.js',
    'npm_package_scripts_postinstall=node install.js',
  ],
}

for (const [manager, more] of Object.entries(MANAGERS)) {
  test(`${manager}: a script of a package is that of its environment`, () => {
    assert.deepEqual(packageOf(['PATH=/bin', ...more, ...OF_DEP]), DEP)
    assert.deepEqual(packageOf([...OF_DEP.toReversed(), ...more]), DEP)
    const build = packageOf([...more, ...OF_APP, 'npm_lifecycle_event=build'])
    assert.equal(build?.name, 'app build')
  })
}

test('what npx runs is of no package: that in its environment is the one of the working directory', () => {
  const npx = ['npm_command=exec', 'npm_lifecycle_event=npx', ...OF_APP]
  assert.deepEqual(packageOf([...npx, "npm_lifecycle_script='tool' '--all'"]), {
    name: 'npx tool',
    script: 'npx',
  })
  assert.equal(packageOf([...npx, 'npm_lifecycle_script="a tool" x'])?.name, 'npx a tool')
  assert.equal(packageOf([...npx, 'npm_lifecycle_script=tool x'])?.name, 'npx tool')
  assert.equal(packageOf(npx)?.name, 'npx')
})

test('pnpm exec, and programs that package managers start beside scripts, belong to no package', () => {
  assert.equal(packageOf(['npm_command=exec', 'npm_execpath=/pnpm']), undefined)
  assert.equal(packageOf(['npm_config_cache=/x', ...OF_APP]), undefined)
  assert.equal(packageOf([]), undefined)
})

test('names have a largest length, and empty ones are none', () => {
  const long = packageOf([`npm_package_name=${'x'.repeat(9999)}`, 'npm_lifecycle_event=y'])
  assert.equal(long?.package?.length, 214)
  assert.equal(packageOf(['npm_package_name=', 'npm_lifecycle_event=y']), undefined)
  assert.equal(packageOf(['npm_package_name=x', 'npm_lifecycle_event=']), undefined)
})
