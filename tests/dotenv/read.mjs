// What the package dotenv reads: a JSON array of texts on stdin, and on stdout for each the pairs of name and value in the order of their names.
import { readFileSync } from 'node:fs'
import dotenv from 'dotenv'

const pairs = (text) => Object.entries(dotenv.parse(text)).sort(([a], [b]) => (a < b ? -1 : 1))
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, 'utf8')).map(pairs)))
