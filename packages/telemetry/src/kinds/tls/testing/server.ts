/**
 * A server of TLS for tests: `node server.js ADDRESS PORT`. Its certificate is for nobody, and its key is no secret; whoever asks gets
 * `hello` by HTTP.
 */

import { once } from 'node:events'
import { createServer } from 'node:https'
import { argv } from 'node:process'

const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxhwJ0rYwa19dTYQl
WZORDOZ4GaWPTAK6fpXSUOpMMAWhRANCAARPGQ2Jx/NCAhVRRbrNWzJMPTaLOWjl
3l/qx9rZphSmQghY87lcHrkSx07wC8K7Js2AybX2w24txFtKfqaMjR1z
-----END PRIVATE KEY-----
`
const cert = `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUQM/LOnvHXbUk6Y2Au4fHTEawltEwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMzAxNTM4MTVaGA8yMTI2MTEwNjE1Mzgx
NVowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABE8Z
DYnH80ICFVFFus1bMkw9Nos5aOXeX+rH2tmmFKZCCFjzuVweuRLHTvALwrsmzYDJ
tfbDbi3EW0p+poyNHXOjUzBRMB0GA1UdDgQWBBQc2v13qe/D7KWU+ofBvcWlIqZH
AjAfBgNVHSMEGDAWgBQc2v13qe/D7KWU+ofBvcWlIqZHAjAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIFYZsE0fLUqSALkM9Xf9rtkl6IKiJwjGCNDB
LRaZx41KAiEAgMxBOk8roVYOVGK2xJFqaCNn3ToDf4n240AUIm0en6Y=
-----END CERTIFICATE-----
`

const [, , address = '', port = ''] = argv
const server = createServer({ key, cert }, (_request, response) => {
  response.setHeader('connection', 'close')
  response.end('hello')
})
server.on('tlsClientError', () => {})
server.listen(Number(port), address)
await once(server, 'listening')
process.stdout.write('ready\n')
