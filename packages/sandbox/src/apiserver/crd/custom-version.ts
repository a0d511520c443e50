import type { KubeObject } from '../contract.types.ts'
import { arrayOf, isObject, type JsonObject, objectOf } from '../json.ts'
import type { CustomVersion, PrinterColumn } from '../resources/resource-definition.ts'
import { checkFields } from '../schema/check-fields.ts'
import type { TypeNode } from '../schema/type-node.ts'
import type { CelRules } from './cel-rules.ts'
import { fillDefaults, pruneUnknown } from './schema-shape.ts'
import { typeOfCustomObject } from './schema-types.ts'
import { SchemaValidator } from './schema-validator.ts'

const AGE: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** A version of a CRD made ready for use. */
export function compileVersion(version: JsonObject, rules: CelRules, metadataType: TypeNode): CustomVersion {
  const schema = objectOf(objectOf(version['schema'])['openAPIV3Schema'])
  const validator = new SchemaValidator(rules)
  const columns = arrayOf(version['additionalPrinterColumns']).filter(isObject)
  const printerColumns = columns.map((column) => ({
    name: String(column['name']),
    type: String(column['type']),
    jsonPath: String(column['jsonPath']),
    priority: typeof column['priority'] === 'number' ? column['priority'] : 0,
    description: typeof column['description'] === 'string' ? column['description'] : undefined,
  }))
  return {
    schema,
    type: typeOfCustomObject(schema, metadataType),
    printerColumns: printerColumns.length > 0 ? printerColumns : [AGE],
    prune(object: KubeObject) {
      const metadata = checkFields(metadataType, object.metadata)
      object.metadata = metadata.value as KubeObject['metadata']
      return [...pruneUnknown(schema, object), ...metadata.unknown.map((path) => `metadata.${path}`)]
    },
    applyDefaults: (object) => fillDefaults(schema, object),
    validate(object, old) {
      rules.start()
      return validator.validate(schema, object, old)
    },
  }
}
