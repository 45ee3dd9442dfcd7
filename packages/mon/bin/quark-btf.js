#!/usr/bin/env node
import { launch } from './launch.js'

await launch('quark-btf', 'btf/main.js')
