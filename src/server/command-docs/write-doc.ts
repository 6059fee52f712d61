import type { ReplyWriter } from '../../resp/index.js';
import type { CommandDoc } from './command-doc.js';
import { type ArgumentDoc, parseSyntax } from './syntax.js';

/** Writes what COMMAND DOCS tells of a command: its name and a map of facts, those of its subcommands among them. */
export const writeDoc = (
  reply: ReplyWriter,
  doc: CommandDoc,
  subcommands: readonly CommandDoc[] = [],
): void => {
  const { name, summary, since, group, complexity, syntax } = doc;
  const facts = { summary, since, group, complexity };
  reply.bulkText(name.replace(' ', '|'));
  reply.map(Object.keys(facts).length + (syntax === '' ? 0 : 1) + (subcommands.length === 0 ? 0 : 1));
  for (const [fact, text] of Object.entries(facts)) {
    reply.bulkText(fact);
    reply.bulkText(text);
  }
  if (syntax !== '') {
    reply.bulkText('arguments');
    writeArguments(reply, parseSyntax(syntax));
  }
  if (subcommands.length > 0) {
    reply.bulkText('subcommands');
    reply.map(subcommands.length);
    for (const subcommand of subcommands) writeDoc(reply, subcommand);
  }
};

const writeArguments = (reply: ReplyWriter, docs: readonly ArgumentDoc[]): void => {
  reply.array(docs.length);
  for (const { name, type, token, isOptional, isMultiple, parts } of docs) {
    const flags = [
      ...(isOptional ? ['optional'] : []),
      ...(isMultiple ? ['multiple'] : []),
      ...(isMultiple && token !== undefined ? ['multiple_token'] : []), // the word comes again with each value
    ];
    const extra = (token === undefined ? 0 : 1) + (flags.length > 0 ? 1 : 0) + (parts === undefined ? 0 : 1);
    reply.map(2 + extra);
    reply.bulkText('name');
    reply.bulkText(name);
    reply.bulkText('type');
    reply.bulkText(type);
    if (token !== undefined) {
      reply.bulkText('token');
      reply.bulkText(token);
    }
    if (flags.length > 0) {
      reply.bulkText('flags');
      reply.set(flags.length);
      for (const flag of flags) reply.simple(flag);
    }
    if (parts !== undefined) {
      reply.bulkText('arguments');
      writeArguments(reply, parts);
    }
  }
};
