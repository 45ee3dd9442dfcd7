#!/usr/bin/env node
'use strict'

if (require('./node-version.cjs').isNew('quark-btf'))
  require('./launch.cjs').launch('quark-btf', 'btf/main.js')
