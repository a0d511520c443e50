import test from 'ava'
import { nodeHttp2Engine } from '../src/index.ts'
import { engineCompliance } from './compliance.ts'

engineCompliance(test, 'node:http2', { client: nodeHttp2Engine, server: nodeHttp2Engine })
