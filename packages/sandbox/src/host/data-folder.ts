import { closeSync, constants, fchmodSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { AmbitError, messageOf } from '@ambit/core'
import type { KubeObject } from '../apiserver/contract.types.ts'
import type { Journal } from '../apiserver/store/journal.types.ts'
import { makeFolders } from './state-folder.ts'

export class DataFolderError extends AmbitError {
  readonly code = 'SANDBOX_DATA_FOLDER'
}

/** "AMBT": tells our file from other SQLite databases. */
const APPLICATION_ID = 0x414d_4254
/** Counts changes of the tables; a file of another version is refused. */
const VERSION = 1

const TABLES = `
CREATE TABLE objects (key TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (key, id)) STRICT, WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${VERSION};
`

/**
 * A folder that keeps a cluster across restarts: its objects, keys and port, in one SQLite file that only its owner reads.
 *
 * Every change is written to the log before it is answered, so a killed process loses nothing. The log reaches the disk when it is
 * folded into the file; a failing machine may lose the last changes, never the file (SQLite's WAL with synchronous=NORMAL).
 */
export class DataFolder implements Journal, Disposable {
  readonly #database: DatabaseSync
  readonly #folder: string
  readonly #put: StatementSync
  readonly #remove: StatementSync
  readonly #setFact: StatementSync
  readonly #getFact: StatementSync

  /** Opens the folder, made when it isn't there; refuses one in use, of another version or of something else. */
  static open(folder: string): DataFolder {
    const file = join(folder, 'cluster.db')
    try {
      makeFolders(folder, 0o700)
      // Made before SQLite does, which asks for no mode; its log takes the file's.
      const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600)
      fchmodSync(descriptor, 0o600)
      closeSync(descriptor)
    } catch (cause) {
      throw new DataFolderError(`${folder} can't hold a sandbox's data: ${messageOf(cause)}`, { cause })
    }
    let database: DatabaseSync | undefined
    try {
      database = new DatabaseSync(file, { timeout: 0 })
      // Held until the process ends, however it ends.
      database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;')
      database.exec('BEGIN EXCLUSIVE; COMMIT;')
      return new DataFolder(database, folder, file)
    } catch (cause) {
      database?.close()
      if (cause instanceof DataFolderError) throw cause
      throw new DataFolderError(whyUnusable(folder, file, cause), { cause })
    }
  }

  private constructor(database: DatabaseSync, folder: string, file: string) {
    this.#database = database
    this.#folder = folder
    prepareTables(database, file)
    this.#put = database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?)')
    this.#remove = database.prepare('DELETE FROM objects WHERE key = ? AND id = ?')
    this.#setFact = database.prepare('INSERT OR REPLACE INTO facts VALUES (?, ?)')
    this.#getFact = database.prepare('SELECT value FROM facts WHERE name = ?')
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }

  load(): { readonly revision: number; readonly objects: { readonly key: string; readonly object: KubeObject }[] } {
    let revision = Number(this.fact('revision') ?? 1)
    const rows = this.#database.prepare('SELECT key, json FROM objects').all()
    const objects = rows.map(({ key, json }) => {
      const object = JSON.parse(String(json)) as KubeObject
      revision = Math.max(revision, Number(object.metadata.resourceVersion))
      return { key: String(key), object }
    })
    return { revision, objects }
  }

  put(key: string, id: string, object: KubeObject): void {
    this.#write(() => this.#put.run(key, id, JSON.stringify(object)))
  }

  /** With the revision of the removal, which no object carries any more. */
  remove(key: string, id: string, revision: number): void {
    this.#write(() => {
      this.#database.exec('BEGIN')
      try {
        this.#remove.run(key, id)
        this.#setFact.run('revision', String(revision))
        this.#database.exec('COMMIT')
      } catch (error) {
        this.#database.exec('ROLLBACK')
        throw error
      }
    })
  }

  /** Something that isn't an object: keys and certificates, the port. */
  fact(name: string): string | undefined {
    const value = this.#getFact.get(name)?.['value']
    return typeof value === 'string' ? value : undefined
  }

  setFact(name: string, value: string): void {
    this.#write(() => this.#setFact.run(name, value))
  }

  #write(work: () => void): void {
    try {
      work()
    } catch (cause) {
      throw new DataFolderError(`${this.#folder} can't be written: ${messageOf(cause)}`, { cause })
    }
  }
}

function prepareTables(database: DatabaseSync, file: string): void {
  const pragma = (name: string): number => Number(database.prepare(`PRAGMA ${name}`).get()?.[name])
  const [application, version] = [pragma('application_id'), pragma('user_version')]
  const isEmpty = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get()?.['count'] === 0
  if (isEmpty && application === 0) {
    database.exec(`BEGIN; ${TABLES} COMMIT;`)
    return
  }
  if (application !== APPLICATION_ID) throw new DataFolderError(`${file} is a database of another program`)
  if (version !== VERSION)
    throw new DataFolderError(
      `${file} has version ${version} of the sandbox's data and this program reads version ${VERSION}; use the program that wrote it, or another folder`,
    )
}

function whyUnusable(folder: string, file: string, cause: unknown): string {
  const text = messageOf(cause)
  if (/locked|busy/i.test(text)) return `${folder} is in use by another sandbox; end it first, or name another folder`
  if (/not a database|malformed/i.test(text)) return `${file} is no data of a sandbox, or damaged: ${text}`
  return `${folder} can't hold a sandbox's data: ${text}`
}
