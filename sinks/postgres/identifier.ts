/** A name as SQL takes it, whatever characters it has. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A table by schema and name. */
export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export const quotedTable = ({ schema, name }: TableName): string => `${quoted(schema)}.${quoted(name)}`;

export const shownTable = ({ schema, name }: TableName): string => `${schema}.${name}`;
