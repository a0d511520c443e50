import test from 'ava'
import { framedEngine, nodeHttp2Engine } from '../src/index.ts'
import { engineCompliance } from './compliance.ts'

engineCompliance(test, 'framed', { client: framedEngine, server: framedEngine })
engineCompliance(test, 'framed to node:http2', { client: framedEngine, server: nodeHttp2Engine })
engineCompliance(test, 'node:http2 to framed', { client: nodeHttp2Engine, server: framedEngine })
