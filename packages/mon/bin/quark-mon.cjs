#!/usr/bin/env node
'use strict'

if (require('./node-version.cjs').isNew('quark-mon')) require('./launch.cjs').launch('quark-mon', 'main.js')
