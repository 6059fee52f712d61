import type { ChosenSink, PipelineConfig, TransformSettings } from '../../config/index.js';
import { TailraceError } from '../errors/index.js';
import {
  addStage,
  type ChangeStage,
  chainStages,
  dropStage,
  filterStage,
  flattenStage,
  hashStage,
  loadUserFunction,
  maskStage,
  parseJsonStage,
  renameStage,
  routeStage,
  type TransactionTransform,
} from '../pipeline/index.js';

/** What a sink sees of the changes: the pipeline's transforms, its routes, then the sink's own; undefined = everything. */
export const assembleTransform = async (
  config: PipelineConfig,
  sink: ChosenSink,
): Promise<TransactionTransform | undefined> => {
  const stages: ChangeStage[] = [];
  for (const [at, settings] of config.transforms.entries())
    stages.push(await stageOf(settings, config, sink, `transforms[${at}]`));
  if (config.routes.length > 0) {
    const routes = config.routes.map(({ keys, to, key, ...conditions }) => ({
      keys,
      to,
      ...(key === '' ? {} : { key }),
      ...withoutEmpty(conditions),
    }));
    stages.push(explaining(config, 'routes', () => routeStage(routes, sink.name)));
  }
  for (const [at, settings] of sink.transforms.entries())
    stages.push(await stageOf(settings, config, sink, `sinks.${sink.name}.transforms[${at}]`));
  return chainStages(stages);
};

const stageOf = async (
  settings: TransformSettings,
  config: PipelineConfig,
  sink: ChosenSink,
  path: string,
): Promise<ChangeStage> => {
  if (settings.kind === 'use')
    return await loadUserFunction(
      { ...settings, from: config.file },
      { pipeline: config.name, sink: sink.name },
    );
  return explaining(config, `${path}.${settings.kind}`, () => plainStage(settings));
};

const plainStage = (settings: Exclude<TransformSettings, { kind: 'use' }>): ChangeStage => {
  switch (settings.kind) {
    case 'filter': {
      const { kind: _, ...lists } = settings;
      return filterStage(withoutEmpty(lists));
    }
    case 'rename':
      return renameStage(settings.keys, settings.to);
    case 'drop':
      return dropStage(settings);
    case 'mask':
      return maskStage(settings, settings.with);
    case 'hash':
      return hashStage(settings, settings.algorithm, settings.secret);
    case 'parseJson':
      return parseJsonStage(settings.keys);
    case 'flatten':
      return flattenStage(settings.keys, settings.separator, settings.to);
    case 'add':
      return addStage(settings.keys, settings.fields);
  }
};

/** A list that is empty lets all pass. */
const withoutEmpty = (
  lists: Readonly<Record<string, readonly string[]>>,
): Record<string, readonly string[]> =>
  Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0));

/** A pattern that cannot be used is a mistake of the file. */
const explaining = (config: PipelineConfig, path: string, make: () => ChangeStage): ChangeStage => {
  try {
    return make();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TailraceError('CONFIG_INVALID', `${config.file}: ${path}: ${reason}`, {
      context: { file: config.file },
      remedy: 'Mend the place named above; `tailrace validate FILE` checks without running.',
      cause,
    });
  }
};
