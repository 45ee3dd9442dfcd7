#!/usr/bin/env node
'use strict'

const { launch } = require('./launch.cjs')

void launch('quark-mon', 'main.js')
