/** What a command, or a subcommand such as `client list`, is for; shown by COMMAND DOCS, redis-cli and tools. */
export interface CommandDoc {
  /** Lower case; a subcommand's with that of its command before it. */
  readonly name: string;
  readonly group: string;
  /** The version of Redis that brought it, else that of Kvrocks, else ours. */
  readonly since: string;
  readonly complexity: string;
  readonly summary: string;
  /** See `parseSyntax`. */
  readonly syntax: string;
}

/** The commands of a group, from lines `name | since | complexity | summary | syntax`. */
export const docsOf = (group: string, lines: string): readonly CommandDoc[] =>
  lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name, since, complexity, summary, syntax = ''] = line.split(/ \| ?/);
      return { name, group, since, complexity, summary, syntax };
    });
